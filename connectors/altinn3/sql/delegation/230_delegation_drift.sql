-- What the rules decided and a side does not show, for "drift list" and its gauge.

-- DL-84: rights that are effective, but that the policy of the resource does not offer. A statement of the newest decision, so
-- that nobody has to compare every key with its resource to count them.
ALTER TABLE sync.deleg_key ADD COLUMN refused text[] COLLATE "C" NOT NULL DEFAULT '{}';
CREATE INDEX deleg_key_refused ON sync.deleg_key (key_id) WHERE refused <> '{}';
