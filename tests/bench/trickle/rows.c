/*
 * Acts of Altinn 3 as its application writes them: one CONFIRMED row of each message, one
 * transaction a row, on several connections, since one that waits for the disk at each commit does
 * not keep up.
 */
#include "trickle.h"

#include <altinn_sync/correspondence_status.h>
#include <pthread.h>
#include <runtime/postgres.h>
#include <stdio.h>

#define WRITERS     16
#define ARENA_BYTES 1024

struct writer {
    struct trickle *trickle;
    int64_t first; /* of WRITERS */
    pthread_t thread;
    struct sync_db *db;
    bool failed;
    struct sync_error failure;
};

static sync_status write_row(struct writer *writer, int64_t act, struct sync_error *err)
{
    static const struct sync_statement statement = {
        "bench_row", "INSERT INTO correspondence.\"CorrespondenceStatuses\" (\"Id\","
                     " \"CorrespondenceId\", \"Status\", \"StatusText\", \"StatusChanged\","
                     " \"PartyUuid\") VALUES (gen_random_uuid(), $1, $2, 'x', $3, $4)"};
    uint8_t memory[ARENA_BYTES];
    struct sync_arena arena;
    struct sync_params params;
    struct sync_uuid message = trickle_message(writer->trickle->first + act);
    struct sync_uuid party = trickle_party(2);
    sync_arena_init(&arena, memory, sizeof memory);
    sync_params_init(&params, &arena);
    sync_params_uuid(&params, &message);
    sync_params_int4(&params, STATUS_CONFIRMED);
    sync_params_time(&params, trickle_due_us(writer->trickle, act));
    sync_params_uuid(&params, &party);
    return sync_db_exec(writer->db, &statement, &params, NULL, err);
}

static void *run(void *context)
{
    struct writer *writer = context;
    struct trickle *trickle = writer->trickle;
    for (int64_t act = writer->first; act < trickle->count && !writer->failed; act += WRITERS) {
        trickle_wait(trickle, act);
        writer->failed = !sync_is_ok(write_row(writer, act, &writer->failure));
        trickle_done(trickle, act);
    }
    return NULL;
}

sync_status trickle_rows(struct trickle *trickle, struct sync_error *err)
{
    struct writer writers[WRITERS] = {{0}};
    struct sync_db_options options = {.dsn = trickle->dsn, .application = "bench-trickle"};
    sync_status status = SYNC_OK;
    for (int i = 0; i < WRITERS && sync_is_ok(status); i++) {
        writers[i].trickle = trickle;
        writers[i].first = i;
        status = sync_db_new(&options, &writers[i].db, err);
        if (sync_is_ok(status)) {
            status = sync_db_connect(writers[i].db, err);
        }
    }
    if (!sync_is_ok(status)) {
        return status;
    }
    for (int i = 0; i < WRITERS; i++) {
        int made = pthread_create(&writers[i].thread, NULL, run, &writers[i]);
        SYNC_ASSERT(made == 0);
    }
    for (int i = 0; i < WRITERS; i++) {
        (void)pthread_join(writers[i].thread, NULL);
        sync_db_free(&writers[i].db);
        if (writers[i].failed && sync_is_ok(status)) {
            *err = writers[i].failure;
            status = (sync_status){SYNC_CLASS_FATAL};
        }
    }
    return status;
}
