/*
 * What the files share that write a batch: each adds its statements, correspondence_write.c runs
 * them in one round trip.
 */
#ifndef SYNC_ALTINN3_CORRESPONDENCE_WRITE_H
#define SYNC_ALTINN3_CORRESPONDENCE_WRITE_H
#include "correspondence_store.h"

#define WRITE_KINDS_MAX 15 /* wire status numbers 0 … 14 */
#define WRITE_CALLS_MAX 6

/* One fact to write, with its message. */
struct written {
    const struct message *message;
    const struct status_fact *fact;
};

/* One statement of the round trip. */
struct write_call {
    const struct sync_statement *statement;
    struct sync_params params;
    size_t count;
    /* Not NULL: count rows must be affected. The lock of the entity rows makes the look-up final,
     * so whoever wrote beside us broke that order. */
    const char *exactly;
    bool altinn3;
};

struct write_batch {
    struct sync_batch *batch;
    struct message **messages;
    size_t message_count;
    struct written *facts; /* every fact that something is written of, by message */
    size_t fact_count;
    struct sync_bytes texts[WRITE_KINDS_MAX][2]; /* StatusText by kind and mode */
    struct write_call calls[WRITE_CALLS_MAX];
    size_t call_count;
};

/* The next call, with no parameters yet. There is room for one per table. */
struct write_call *write_call_add(struct write_batch *all, const struct sync_statement *statement,
                                  size_t count);
/* How many of the facts are wanted. */
size_t write_count(const struct write_batch *all, bool (*wanted)(const struct status_fact *fact));

/* Each adds nothing when it has nothing to write. Fails: RETRY memory_limit. */
sync_status write_facts(struct write_batch *all, struct sync_error *err); /* new and changed ones */
sync_status write_states(struct write_batch *all, struct sync_error *err); /* entity rows */
/* Rows of Altinn 3; sorts the facts by the message's id there. */
sync_status write_rows(struct write_batch *all, struct sync_error *err);
#endif
