-- A part of a record that is set aside by itself (a right without counterpart): its row is open as any other, but
-- the record counts by its outcome, so such a row moves no count. What an aged record waited for is kept beside
-- it, so that it is found by the id that arrives as a held one is.
ALTER TABLE sync.parked
    ADD COLUMN part         boolean NOT NULL DEFAULT false,
    ADD COLUMN missing_kind text COLLATE "C",
    ADD COLUMN missing_id   text COLLATE "C";
CREATE INDEX parked_by_missing ON sync.parked (missing_kind, missing_id, topic, partition, record_offset)
    WHERE missing_id IS NOT NULL AND state = 0;
