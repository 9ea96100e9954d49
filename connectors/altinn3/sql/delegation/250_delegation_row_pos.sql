-- Up to where the log of Altinn 3 stood when we last wrote the row of a key, or saw that nothing was to be written: what the stream
-- tells from below of that row was overtaken by our write. Null: not since the capture was initialised.
ALTER TABLE sync.deleg_key ADD COLUMN a3_row_pos bigint;
