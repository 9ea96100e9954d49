-- What waits is looked through in pages of ids, aged by rule and age, and counted by rule and by code. Each
-- walks an index and reads no more than it answers, however many millions wait: before, every sweep read
-- every held row of its partition. The conditions that always hold keep an index from those who name no id
-- and no rule: a plan made while the table was small would read a whole partition for one row. The words of
-- parked_by_place are the codes of the two limits of holding.
CREATE INDEX hold_by_place ON sync.hold (scope, topic, partition, entity_key) WHERE entity_key IS NOT NULL;
CREATE INDEX hold_by_age ON sync.hold (scope, topic, partition, rule, since, record_offset) WHERE rule IS NOT NULL;
CREATE INDEX parked_by_place ON sync.parked (scope, topic, partition, entity_key)
    WHERE state = 0 AND code IN ('held_too_long', 'held_too_many') AND NOT sealed AND record IS NOT NULL;
CREATE INDEX parked_by_code ON sync.parked (scope, topic, partition, code) WHERE state = 0;
-- Ended effects are deleted place by place.
CREATE INDEX outbox_ended_by_place ON sync.outbox (scope, topic, partition, ended_at) WHERE state IN (2, 3);
DROP INDEX sync.outbox_ended;
