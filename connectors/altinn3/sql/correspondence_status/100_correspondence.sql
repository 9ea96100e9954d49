-- Correspondence status: the sync's own picture of each message, in the database of Altinn 3 correspondence.
-- The rules that fill it stand in docs/rules.md (CS-nn). A message is known by the int32 of its
-- reportee element in Altinn 2; entity_key of the common tables is that number as decimal text.

-- One row per message. Locked FOR UPDATE in ascending altinn2_id before anything else: the only lock that
-- orders both directions, the gate and the loader. UNKNOWN rows are the placeholders that make hold safe.
-- Flags and maxima only grow; they repeat what the facts say, so that no rule reads the whole history.
CREATE TABLE sync.correspondence (
    altinn2_id       int         PRIMARY KEY CHECK (altinn2_id > 0),
    mapping          smallint    NOT NULL DEFAULT 0 CHECK (mapping BETWEEN 0 AND 3),
                                                -- 0 unknown 1 expected 2 mapped 3 excluded
    gate             smallint    NOT NULL DEFAULT 0 CHECK (gate BETWEEN 0 AND 3),
                                                -- 0 hidden 1 opening 2 visible 3 withdrawn
    has_read         boolean     NOT NULL DEFAULT false,
    has_confirmed    boolean     NOT NULL DEFAULT false,
    has_archived     boolean     NOT NULL DEFAULT false,
    is_purged        boolean     NOT NULL DEFAULT false,
    dlg_opened       boolean     NOT NULL DEFAULT false,    -- dlg_: the dialog was told, or is queued to be
    dlg_confirmed    boolean     NOT NULL DEFAULT false,
    dlg_deleted      boolean     NOT NULL DEFAULT false,
    dlg_label        smallint    NOT NULL DEFAULT 0 CHECK (dlg_label BETWEEN 0 AND 4),
                                                -- 0 unknown 1 none 2 default 3 bin 4 archive
    a2_read          smallint    NOT NULL DEFAULT 0 CHECK (a2_read BETWEEN 0 AND 2),
    a2_confirmed     smallint    NOT NULL DEFAULT 0 CHECK (a2_confirmed BETWEEN 0 AND 2),
    a2_deleted       smallint    NOT NULL DEFAULT 0 CHECK (a2_deleted BETWEEN 0 AND 2),
                                                -- 0 no 1 queued 2 held
    version          bigint      NOT NULL DEFAULT 0,        -- +1 per stored fact
    altinn3_id       uuid,
    max_soft_deleted bigint,                                -- seconds since 1970; null: no such fact
    max_restored     bigint,
    max_archived     bigint,
    visible_at       timestamptz,                           -- time of CS-84 or CS-102
    content_version  bigint,
    content_hash     bytea,
    excluded_reason  text,
    CHECK ((mapping = 2) = (altinn3_id IS NOT NULL))
) WITH (fillfactor = 70);                                   -- every applied batch rewrites rows: room for HOT
-- The capture of Altinn 3 finds the Altinn 2 id by it.
CREATE UNIQUE INDEX correspondence_by_altinn3 ON sync.correspondence (altinn3_id) WHERE altinn3_id IS NOT NULL;

-- The fact set: what happened to a message, once, by someone. Grow-only; only the three flags ever change,
-- and they only rise, but for "refused", which a redrive clears.
CREATE TABLE sync.correspondence_fact (
    altinn2_id      int      NOT NULL,
    kind            smallint NOT NULL,          -- number of the wire status; also passive ones
    mode            smallint NOT NULL,          -- 0 live 1 history
    second          bigint   NOT NULL,          -- floored second of occurred_at_us
    occurred_at_us  bigint   NOT NULL,          -- of the first copy; for display, never compared
    source_sequence bigint   NOT NULL,          -- first source: system, stream, sequence
    source_system   smallint NOT NULL,          -- 2 Altinn 2, 3 Altinn 3
    in_a2           boolean  NOT NULL,          -- that side is known to hold the fact
    in_a3           boolean  NOT NULL,
    refused         boolean  NOT NULL,          -- a call to Altinn 2 with this fact ended PARK
    party_uuid      uuid     NOT NULL,          -- the zero UUID is a value like any other
    source_stream   text COLLATE "C" NOT NULL,
    PRIMARY KEY (altinn2_id, kind, party_uuid, second)
) WITH (fillfactor = 90);
