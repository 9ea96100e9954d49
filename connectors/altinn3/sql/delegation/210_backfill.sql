-- What loading the current state of Altinn 3 remembers besides its cursor, so that a process that is killed at any moment
-- sends the same rows under the same numbers, and what it counts is what it sent.

ALTER TABLE sync.backfill
    ADD COLUMN snapshot_id uuid,                    -- of one run of all tables
    ADD COLUMN chunk       uuid[],                  -- ids of the rows under way, in order; null: nothing is under way
    ADD COLUMN chunk_end   text COLLATE "C",        -- where the cursor goes when they are delivered
    ADD COLUMN chunk_rows  bigint,                  -- rows read for them, published or not
    ADD COLUMN first_row   bigint,                  -- number of the first of them
    ADD COLUMN rows_sent   bigint NOT NULL DEFAULT 0,
    ADD COLUMN rate_max    int CHECK (rate_max > 0);    -- rows per second; null: as fast as it goes

-- Rows sent per partition and target: what END says at the end.
CREATE TABLE sync.backfill_sent (
    n           bigint   NOT NULL,
    partition   int      NOT NULL,
    target_kind smallint NOT NULL,
    capture     text COLLATE "C" NOT NULL,
    target      text COLLATE "C" NOT NULL,
    PRIMARY KEY (capture, target_kind, target, partition)
) WITH (fillfactor = 70);
