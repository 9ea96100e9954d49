-- DL-27: what Altinn 2 granted after a resource was frozen. It gives nothing; it is kept for "drift list" until a person lets it go.
CREATE TABLE sync.grant_after_freeze (
    stream        text COLLATE "C" NOT NULL,
    snapshot_id   uuid        NOT NULL,             -- all zero: not of an export
    seq           bigint      NOT NULL,
    id            uuid        NOT NULL UNIQUE,      -- of the three above, for "drift release"
    giver         text        NOT NULL,             -- as its topic names him: a uuid, or "p:" and the number of a party
    receiver      text        NOT NULL,             -- likewise, or "u:" and the number of a user
    resource      text COLLATE "C" NOT NULL,
    instance      text        NOT NULL,             -- '': of a whole resource
    rights        text[]      NOT NULL,
    granted_at    timestamptz NOT NULL,             -- or seen, where the event tells no time
    topic         text        NOT NULL,
    partition     int         NOT NULL,
    record_offset bigint      NOT NULL,
    PRIMARY KEY (stream, snapshot_id, seq)
);
CREATE INDEX grant_after_freeze_by_time ON sync.grant_after_freeze (granted_at);
