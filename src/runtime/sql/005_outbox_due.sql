-- The sender asks for effects that are due, oldest first, and for each whether it is the first of its key. Both
-- are answered by walking an index, however many effects wait: before, each look sorted every open row.
CREATE INDEX outbox_due ON sync.outbox (scope, topic, partition, target, not_before, seq) WHERE state IN (0, 1);
DROP INDEX sync.outbox_by_key;
CREATE INDEX outbox_by_key ON sync.outbox (entity_key, seq) WHERE state IN (0, 1, 6);
DROP INDEX sync.outbox_open;
