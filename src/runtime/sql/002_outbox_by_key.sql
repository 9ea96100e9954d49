-- Every purge skips the dialog effects of its message, and every label asks whether one is waiting; both ask
-- by key for effects that are waiting or had no route, which the lane's index does not hold. Expectations
-- are deleted by their age.
CREATE INDEX outbox_by_key ON sync.outbox (entity_key) WHERE state IN (0, 6);
CREATE INDEX expected_echo_expires ON sync.expected_echo (expires_at);
