/*
 * What sync.source and the server say about a slot, whether they agree, and the position that is
 * stored there. Over an ordinary connection. Not here: streaming.
 */
#ifndef SYNC_CONNECTORS_ALTINN3_CAPTURE_SOURCE_H
#define SYNC_CONNECTORS_ALTINN3_CAPTURE_SOURCE_H

#include "capture_entity.h"
#include "capture_wire.h"

/* A row of sync.source, as far as a slot needs it. */
struct capture_source {
    bool found; /* capture init was run */
    int32_t generation;
    struct capture_identity identity;
    char slot[64], publication[64];
    uint64_t start_lsn, delivered_lsn;
    int64_t sequence_base, started_at_us;
};

/* A row of pg_replication_slots and what stands around it. */
struct capture_slot {
    bool found, active, logical, here; /* here: of this database */
    char plugin[64];
    char wal_status[32];
    uint64_t confirmed_lsn;
    uint64_t restart_lsn; /* nothing that is not confirmed was logged before it */
    int64_t retained_bytes;
    bool publication_found;
    int64_t open_gaps;
};

/* Fails: as sync_db_exec; FATAL db_schema when "db migrate" was not run. */
sync_status capture_source_read(struct sync_db *db, const char *name,
                                struct capture_source *ret_source, struct sync_error *err);
/* Fails: as sync_db_exec. A slot that does not exist is not found, not an error. */
sync_status capture_slot_read(struct sync_db *db, const struct capture_entity *entity,
                              const struct capture_source *source, struct capture_slot *ret_slot,
                              struct sync_error *err);

/*
 * Compares what is recorded with what is there. Pure.
 * Fails: FATAL slot, system_id or timeline with the sentence; ret_gap says whether changes may be
 * lost.
 */
sync_status capture_source_check(const struct capture_entity *entity,
                                 const struct capture_source *source,
                                 const struct capture_slot *slot,
                                 const struct capture_identity *identity, bool *ret_gap,
                                 struct sync_error *err);

/* The part of it that can change while the slot is read. Pure. Fails: FATAL slot; it is a gap. */
sync_status capture_publication_check(const struct capture_entity *entity,
                                      const struct capture_source *source,
                                      const struct capture_slot *slot, struct sync_error *err);

/*
 * Before a slot is made: wal_level, and room for one more slot among slots and origins.
 * Fails: FATAL db_refused naming the setting of postgresql.conf; as sync_db_exec.
 */
sync_status capture_server_check(struct sync_db *db, struct sync_error *err);

/* Records that changes between the delivered position and now may be lost; once per open gap. */
sync_status capture_gap_store(struct sync_db *db, const char *name,
                              const struct capture_source *source, const char *reason,
                              struct sync_error *err);

/* Makes the slot and the row of sync.source: a new generation. Fails: FATAL refused, slot. */
sync_status capture_source_create(struct sync_db *db, const char *name,
                                  const struct capture_source *source, struct sync_error *err);

/*
 * Stores what is delivered. Fails: FATAL slot when the row is of another generation by now: another
 * process was started after a new "capture init".
 */
sync_status capture_delivered_store(struct sync_db *db, const char *name, int32_t generation,
                                    uint64_t delivered_lsn, struct sync_error *err);

/* Emits the heartbeat message. Fails: as sync_db_exec. */
sync_status capture_heartbeat(struct sync_db *db, struct sync_error *err);

#endif
