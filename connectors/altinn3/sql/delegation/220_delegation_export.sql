-- Exports of Altinn 2's rules, as capture altinn2-delegation takes them. Altinn 2 counts nothing and numbers nothing: here
-- each row gets its number, the same for every repeat, and END can tell how many rows of a resource each partition holds.

CREATE TABLE sync.export (
    snapshot_id  uuid        PRIMARY KEY,
    snapshot_pos bigint      NOT NULL,              -- position of a2.rule before the export was read
    started_at   timestamptz NOT NULL DEFAULT now()
);

-- A row is known by its content. It counts once the broker has it. An operator removes the row of sync.export, and with it
-- all others, when every resource of the export is done.
CREATE TABLE sync.export_row (
    row_number  bigint  GENERATED ALWAYS AS IDENTITY,
    row_id      uuid    NOT NULL,                   -- UUIDv5 of its content
    snapshot_id uuid    NOT NULL REFERENCES sync.export ON DELETE CASCADE,
    partition   int     NOT NULL,
    stored      boolean NOT NULL DEFAULT false,
    resource    text COLLATE "C" NOT NULL,
    PRIMARY KEY (snapshot_id, row_id)
) WITH (fillfactor = 80);

-- How many rows of a resource each partition holds. Written together with "stored", so that nothing counts twice.
CREATE TABLE sync.export_count (
    rows        bigint NOT NULL,
    partition   int    NOT NULL,
    snapshot_id uuid   NOT NULL REFERENCES sync.export ON DELETE CASCADE,
    resource    text COLLATE "C" NOT NULL,
    PRIMARY KEY (snapshot_id, resource, partition)
) WITH (fillfactor = 50);
