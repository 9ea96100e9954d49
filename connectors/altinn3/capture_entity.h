/*
 * What differs between the things that are captured from Altinn 3: one constant descriptor each.
 * Streaming, positions, producing and the verbs are the same for all of them.
 */
#ifndef SYNC_CONNECTORS_ALTINN3_CAPTURE_ENTITY_H
#define SYNC_CONNECTORS_ALTINN3_CAPTURE_ENTITY_H

#include "row_plan.h"
#include <altinn_sync/processor.h>
#include <core/arena.h>
#include <runtime/home.h>
#include <runtime/kafka.h>
#include <runtime/postgres.h>
#include <runtime/schema.h>

#define CAPTURE_ITEMS_MAX   1000 /* rows that wait to be looked up together: one query */
#define CAPTURE_HEADERS_MAX 16   /* of one record */

/* What a message of the log is. */
enum capture_fate {
    CAPTURE_FATE_ROW,       /* a row to hand on */
    CAPTURE_FATE_OWN_WRITE, /* ours, by a mark in the row */
    CAPTURE_FATE_OTHER,     /* of no interest */
};

enum capture_verdict {
    CAPTURE_WAITING, /* something it needs is not there yet */
    CAPTURE_READY,
    CAPTURE_DROPPED, /* not to be published; the reason is counted */
};

/* A row on its way from the log to the topic. */
struct capture_item {
    void *row;    /* entity->row_size bytes */
    void *answer; /* entity->answer_size bytes, zero at first: what was looked up */
    uint64_t lsn;
    int64_t sequence; /* of its first record; the next ones count up */
    int64_t committed_us;
    bool own_write; /* its transaction has an origin of ours */
    enum capture_verdict verdict;
    const char *reason; /* dropped: static word; NULL = of no interest to anybody */
};

/* A load of the current state: which one, and the position that its rows do not lie behind. */
struct capture_snapshot {
    struct sync_uuid id;
    int64_t position;
};

/* What every record of a capture has in common. */
struct capture_letter {
    const struct sync_schema *schema;
    struct sync_bytes stream;                /* "altinn3-status.1" */
    struct sync_arena *arena;                /* everything in the record lies here */
    const struct capture_snapshot *snapshot; /* NULL: live */
};

/* A record of an item, without topic and tag. */
struct capture_record {
    bool present; /* false: the item has no such part */
    struct sync_bytes key, value;
    struct sync_kafka_header headers[CAPTURE_HEADERS_MAX];
    size_t header_count;
};

#define CAPTURE_TABLES_MAX  8
#define CAPTURE_TARGET_SIZE 160

/* What rows of a load are counted by. */
struct capture_target {
    int16_t kind;
    char id[CAPTURE_TARGET_SIZE];
};

/* A table that can be loaded whole. Columns of both statements: what read takes, from 1 on. */
struct capture_table {
    const char *name;
    const struct sync_statement *estimate; /* how many rows there are, roughly */
    /* $1 id, $2 count: the rows behind an id, in order; column 0 is xmin of the snapshot. */
    const struct sync_statement *chunk;
    /* $1 capture, $2 table: the rows of sync.backfill.chunk, as they are or last were; column 0 is
     * their place in it. */
    const struct sync_statement *again;
    void (*read)(const struct sync_result *result, int row, void *ret_row);
};

/* Loading the current state beside live. */
struct capture_load {
    const struct capture_table *tables;
    size_t table_count;
    void (*target)(const struct capture_item *item, struct capture_target *ret_target);
    /* Says how many rows of a target went to a partition; NULL: of all. Fails: as make. */
    sync_status (*end)(const struct capture_letter *letter, const struct capture_target *target,
                       int64_t count, int64_t now_us, struct capture_record *ret_record,
                       struct sync_error *err);
};

struct capture_entity {
    const char *name;   /* of the capture: verb, sync.source, client of the broker, label */
    const char *stream; /* number line, without its generation */
    const struct sync_processor *processor; /* schema of the records */
    /* Settings of slot and publication: their names, and where they stand in the configuration. */
    const char *slot_option, *publication_option;
    size_t slot_at, publication_at;
    /* Whether a publication ($1) sends what we need: one boolean. */
    const struct sync_statement *publication_statement;
    const char *published; /* for the sentence "does not publish …" */
    const struct row_tables *tables;
    bool drops_own_writes; /* of transactions with an origin of ours */
    unsigned parts;        /* records that one row can become; sequences are so far apart */
    int wait_ms;           /* what is not found is asked for again so long, then it expires */

    /* Stream thread. A reader remembers what it needs inside one transaction; may be NULL. */
    size_t row_size, queue_rows, reader_size, answer_size;
    void (*begin)(void *reader);
    /* One INSERT or UPDATE of a known table. Fails: FATAL: the source must stop. */
    sync_status (*read)(void *reader, const struct row_plan *plan,
                        const struct pgoutput_message *message, enum capture_fate *ret_fate,
                        void *ret_row, struct sync_error *err);

    /* Poll thread. A desk answers what the log does not carry; it lies in zeroed memory. */
    size_t desk_size;
    void (*open)(void *desk, const struct sync_config *config, struct sync_db *db);
    /* A row comes in: the desk may learn from it. May be NULL. */
    void (*learn)(void *desk, const struct capture_item *item);
    /* Answers the items that wait. Fails: RETRY or FATAL as sync_db_exec; nothing is lost. */
    sync_status (*resolve)(void *desk, struct capture_item *items, size_t count,
                           struct sync_error *err);
    /* An item has waited for too long: it becomes ready or dropped. */
    void (*expire)(void *desk, struct capture_item *item);
    /* Rows with one number other than 0 keep their order; 0 = not known: all behind it wait. NULL:
     * what waits holds up nobody. */
    uint64_t (*order)(void *desk, const struct capture_item *item);
    /* Makes one part of a ready item. Fails: PARK or RETRY memory_limit: our own fault. */
    sync_status (*make)(void *desk, const struct capture_item *item, unsigned part,
                        const struct capture_letter *letter, struct capture_record *ret_record,
                        struct sync_error *err);
    /* Makes a mark of the position, for every partition; NULL: there are none. Fails: as make. */
    sync_status (*tick)(const struct capture_letter *letter, int64_t sequence, int64_t now_us,
                        struct capture_record *ret_record, struct sync_error *err);

    const struct capture_load *load; /* NULL: its state cannot be loaded */
};

/* All of this binary, ended by NULL; by name NULL when there is none. */
extern const struct capture_entity *const capture_entities[];
const struct capture_entity *capture_entity_find(const char *name);

/* Its home database. Fails: FATAL config when the configuration names none. */
sync_status capture_home_of(const struct capture_entity *entity, const struct sync_config *config,
                            struct sync_home *ret_home, struct sync_error *err);
/* The topic that a load writes; NULL: none. */
const char *capture_backlog_of(const struct capture_entity *entity);
/* Settings of an entity. */
const char *capture_slot_of(const struct capture_entity *entity, const struct sync_config *config);
const char *capture_publication_of(const struct capture_entity *entity,
                                   const struct sync_config *config);

#endif
