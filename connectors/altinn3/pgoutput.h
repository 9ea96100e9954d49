/*
 * Reads the messages of PostgreSQL's logical replication protocol (pgoutput, version 1, not
 * streamed) and the two headers around them. Pure: bounds, then read; no allocation. Not here: what
 * a row means (status_row_map.h), the connection (capture.h).
 */
#ifndef SYNC_CONNECTORS_ALTINN3_PGOUTPUT_H
#define SYNC_CONNECTORS_ALTINN3_PGOUTPUT_H

#include <altinn_sync/status.h>
#include <altinn_sync/types.h>

#define PGOUTPUT_COLUMNS_MAX 1600 /* MaxHeapAttributeNumber of the server */

/* What stands around a message in a copy-both stream. */
enum pgoutput_frame_type { PGOUTPUT_FRAME_DATA, PGOUTPUT_FRAME_KEEPALIVE };
struct pgoutput_frame {
    enum pgoutput_frame_type type;
    uint64_t lsn;           /* data: of the change */
    uint64_t end_lsn;       /* end of the log as the server knows it */
    int64_t sent_us;        /* server's clock, µs since 1970 */
    bool reply_requested;   /* keepalive */
    struct sync_bytes body; /* data: the message; borrowed */
};

enum pgoutput_type {
    PGOUTPUT_BEGIN,
    PGOUTPUT_COMMIT,
    PGOUTPUT_ORIGIN,
    PGOUTPUT_RELATION,
    PGOUTPUT_TYPE,
    PGOUTPUT_INSERT,
    PGOUTPUT_UPDATE,
    PGOUTPUT_DELETE,
    PGOUTPUT_TRUNCATE,
    PGOUTPUT_MESSAGE,
};

struct pgoutput_column {
    bool key;
    struct sync_bytes name;
    uint32_t type_id;
};

/* "Unchanged" is a large value that an update did not touch: not null, only not sent. */
enum pgoutput_cell_kind { PGOUTPUT_NULL, PGOUTPUT_UNCHANGED, PGOUTPUT_TEXT, PGOUTPUT_BINARY };
struct pgoutput_cell {
    enum pgoutput_cell_kind kind;
    struct sync_bytes value;
};
struct pgoutput_tuple {
    size_t count;
    struct pgoutput_cell cells[PGOUTPUT_COLUMNS_MAX];
};

/* One message; which part is filled is said by type. About 120 KiB: never on a stack. */
struct pgoutput_message {
    enum pgoutput_type type;
    uint64_t lsn;         /* begin: of the commit; commit: of the commit record; origin; message */
    uint64_t end_lsn;     /* commit: where the next transaction may begin */
    int64_t committed_us; /* begin, commit: µs since 1970 */
    uint32_t transaction_id;  /* begin */
    uint32_t relation_id;     /* relation, insert, update, delete; type: its id */
    struct sync_bytes schema; /* relation, type */
    struct sync_bytes name;   /* relation, type, origin; message: prefix */
    char replica_identity;    /* relation: d, n, f, i */
    size_t column_count;
    struct pgoutput_column columns[PGOUTPUT_COLUMNS_MAX];
    bool has_old;              /* update, delete */
    struct pgoutput_tuple old; /* update, delete: key or whole old row */
    struct pgoutput_tuple row; /* insert, update */
    size_t relation_count;     /* truncate */
    bool transactional;        /* message */
    struct sync_bytes content; /* message */
};

/*
 * Takes the header of one copy-both chunk apart.
 * Owns: ret_frame borrows from chunk.  Blocks: no.
 * Fails: FATAL protocol, naming the offset; ret_frame is then undefined.
 */
sync_status pgoutput_frame_read(struct sync_bytes chunk, struct pgoutput_frame *ret_frame,
                                struct sync_error *err);

/*
 * Reads one message; every byte must be used.
 * Owns: ret_message borrows from body.  Blocks: no.
 * Fails: FATAL protocol, naming the message and the offset; ret_message is then undefined.
 */
sync_status pgoutput_message_read(struct sync_bytes body, struct pgoutput_message *ret_message,
                                  struct sync_error *err);

/* Bytes of a status update: positions (µs since 1970) in, what PQputCopyData takes out. */
#define PGOUTPUT_FEEDBACK_BYTES 34
void pgoutput_feedback_write(uint64_t received_lsn, uint64_t confirmed_lsn, int64_t now_us,
                             uint8_t ret_bytes[static PGOUTPUT_FEEDBACK_BYTES]);

/* "16/B374D848" as PostgreSQL writes positions; false when the text is not one. */
#define PGOUTPUT_LSN_BUFFER 18
void pgoutput_lsn_format(uint64_t lsn, char ret_text[static PGOUTPUT_LSN_BUFFER]);
bool pgoutput_lsn_parse(struct sync_bytes text, uint64_t *ret_lsn);

/* PostgreSQL's microseconds since 2000 as µs since 1970; infinities become INT64_MIN and INT64_MAX.
 */
int64_t pgoutput_time_us(int64_t postgres_us);

#endif
