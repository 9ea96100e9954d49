/*
 * A replication connection to PostgreSQL: open it, ask who the server is, stream, confirm. One
 * thread. Not here: what the bytes mean (pgoutput.h), what may be confirmed (capture.c).
 */
#ifndef SYNC_CONNECTORS_ALTINN3_CAPTURE_WIRE_H
#define SYNC_CONNECTORS_ALTINN3_CAPTURE_WIRE_H

#include <altinn_sync/status.h>
#include <altinn_sync/types.h>

struct capture_wire;

/* What names a server and its history. */
struct capture_identity {
    char system_id[32];
    int32_t timeline;
};

/*
 * Connects in replication mode and asks IDENTIFY_SYSTEM. setting is the option that holds dsn.
 * Owns: ret_wire is closed with capture_wire_close.  Blocks: at most SYNC_DB_CONNECT_S per host +
 * 10 s. Fails: RETRY unreachable; FATAL config, insecure, or refused (the role lacks REPLICATION,
 * …).
 */
sync_status capture_wire_open(const char *dsn, const char *setting, const char *application,
                              struct capture_wire **ret_wire, struct capture_identity *ret_identity,
                              struct sync_error *err);
/* Closes and frees; NULL is fine. */
void capture_wire_close(struct capture_wire **wire);

/*
 * Starts streaming at a position. slot and publication consist of a-z, 0-9 and _.
 * Blocks: at most 10 s.
 * Fails: RETRY unreachable, or the slot is in use; FATAL refused.
 */
sync_status capture_wire_start(struct capture_wire *wire, const char *slot, const char *publication,
                               uint64_t lsn, struct sync_error *err);

/*
 * Next chunk, or one of size 0 when none came in time.
 * Owns: ret_chunk is valid until the next call.  Blocks: at most timeout_ms.
 * Fails: RETRY when the connection ended; FATAL when the server refuses to go on.
 */
sync_status capture_wire_read(struct capture_wire *wire, int timeout_ms,
                              struct sync_bytes *ret_chunk, struct sync_error *err);

/*
 * Tells the server how far we have read and what the slot may forget.
 * Blocks: only while the socket takes no 34 bytes.
 * Fails: RETRY when the connection ended.
 */
sync_status capture_wire_confirm(struct capture_wire *wire, uint64_t received_lsn,
                                 uint64_t confirmed_lsn, struct sync_error *err);

#endif
