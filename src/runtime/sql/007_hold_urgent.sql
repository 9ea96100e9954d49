-- A revoke that waits does not act: it is told at once, and what it may be meant to end can be listed.
ALTER TABLE sync.hold ADD COLUMN urgent boolean NOT NULL DEFAULT false;
CREATE INDEX hold_urgent ON sync.hold (since) WHERE urgent;
