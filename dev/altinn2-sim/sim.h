/*
 * The simulated Altinn 2: a process and tables of its own. Its parts share this one struct; each
 * thread has a connection of its own. Truth stands in the tables, so that a killed simulator goes
 * on where it was.
 */
#ifndef ALTINN2_SIM_H
#define ALTINN2_SIM_H
#include "../population.h"
#include "../simulator/calls.h"

#include <pthread.h>
#include <runtime/http_server.h>
#include <runtime/postgres.h>
#include <stdatomic.h>

enum sim_echo {
    SIM_ECHO_OFF,
    SIM_ECHO_EXACT,
    SIM_ECHO_SECOND,
    SIM_ECHO_PARTY,
    SIM_ECHO_BOTH,
    SIM_ECHO_MIX
};

/* Bits of a message as the simulator remembers it; the table decides. */
enum { SIM_READ = 1, SIM_CONFIRMED = 2, SIM_ARCHIVED = 4, SIM_TRASHED = 8, SIM_DELETED = 16 };

struct sim_options {
    const char *dsn, *listen, *push_url, *push_token_file, *faults_file;
    double rate; /* acts in a second */
    double push_seconds;
    long act_seconds;       /* 0 = until told to stop */
    long acts;              /* 0 = any number; counts those of earlier runs */
    double reorder_seconds; /* a report waits up to so long before it may be pushed */
    uint64_t seed;
    enum sim_echo echo;
    struct population_range messages, not_migrated; /* not_migrated.first 0 = none */
};

struct sim_counters {
    atomic_llong acts, reports, pushed, push_calls, push_failed, requests, applied, applied_twice,
        unchanged;
};

struct sim_bridge; /* what the bridge thread works with */

struct sim {
    struct simulator common;
    struct sim_options options;
    struct faults faults;
    atomic_uchar *flags; /* one byte per message of the range */
    struct sim_counters counters;
    struct simulator_calls calls; /* between listener and bridge thread */
    struct sim_bridge *bridge;
    struct sync_http_server *server;
};

size_t sim_message_count(const struct sim *sim);
/* Whether a message is in the population; its place in flags. */
bool sim_message_index(const struct sim *sim, int32_t altinn2_id, size_t *ret_index);

/* tables.c: creates schema and population, reads flags and counters. */
sync_status sim_tables_prepare(struct sim *sim, struct sync_db *db, struct sync_error *err);

/* Threads; the context is the sim. */
void *sim_act(void *context);    /* actor.c */
void *sim_push(void *context);   /* push.c */
void *sim_answer(void *context); /* bridge.c */

/* bridge.c: takes requests from the listener. */
sync_status sim_bridge_new(struct sim *sim, struct sync_error *err);
void sim_bridge_free(struct sim *sim);
sync_http_handler sim_handle;
#endif
