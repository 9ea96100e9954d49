-- Backlogs that give way to their live route at this moment. seen_at is renewed every few seconds, so a row
-- that is older is of a process that is gone.
CREATE TABLE sync.yield (
    scope       text COLLATE "C" PRIMARY KEY,
    yields_to   text        NOT NULL,               -- name of the live route
    reason      text        NOT NULL CHECK (reason IN ('live_behind', 'batches_slow')),
    since       timestamptz NOT NULL,
    seen_at     timestamptz NOT NULL
);
