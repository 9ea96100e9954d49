/*
 * The delegation side of the simulated Altinn 2: a process and tables of its own. Truth stands in
 * the tables, which only the functions of schema.sql change, so that a killed simulator goes on
 * where it was. Its threads share this struct; each has a connection of its own.
 */
#ifndef ALTINN2_DELEGATION_SIM_H
#define ALTINN2_DELEGATION_SIM_H
#include "../delegations.h"
#include "../simulator/calls.h"

#include <pthread.h>
#include <runtime/http_server.h>
#include <runtime/postgres.h>
#include <stdatomic.h>

#define SIM_OWN_USER_ID 29999999 /* the technical user of the bridge, when no other is named */

struct sim_options {
    const char *dsn, *schema_file, *listen, *push_url, *push_token_file, *faults_file;
    const char *command_path; /* NULL = this Altinn 2 has no command endpoint */
    struct delegations_size size;
    int64_t first_key, last_key; /* what users act on */
    int32_t own_user_id;
    struct sync_uuid own_party;
    double rate; /* acts in a second */
    double push_seconds;
    double delay_seconds;  /* a report waits up to so long, and may be told behind later ones */
    double late_seconds;   /* an event of the role feed shows up so much later, one in twenty */
    double skew_seconds;   /* of this system's clock */
    double repeat_percent; /* of the pushes that are made twice */
    long act_seconds;      /* 0 = until told to stop */
    long acts;             /* 0 = any number; counts those of earlier runs */
    int page_size;         /* of the role feed */
    uint64_t seed;
};

struct sim_counters {
    atomic_llong acts, push_calls, push_failed, repeated, commands, applied, cache_calls, pages,
        exported;
};

struct sim_bridge; /* what the bridge thread works with */

struct sim {
    struct simulator common;
    struct sim_options options;
    struct faults bridge_faults, feed_faults;
    struct sim_counters counters;
    /* One writer of the truth at a time: its journal is then in the order in which it came to be.
     */
    pthread_mutex_t truth;
    struct simulator_calls calls; /* between listener and bridge thread */
    struct sim_bridge *bridge;
    struct sync_http_server *server;
};

/* The time as this system's clock shows it. */
int64_t sim_clock_us(const struct sim *sim);

/* tables.c: creates schema and population, reads the counter of acts. */
sync_status sim_tables_prepare(struct sim *sim, struct sync_db *db, struct sync_error *err);

/* Threads; the context is the sim. */
void *sim_act(void *context);    /* actor.c */
void *sim_push(void *context);   /* push.c */
void *sim_answer(void *context); /* bridge.c */
void *sim_export(void *context); /* export.c */

/* bridge.c: takes requests from the listener. */
sync_status sim_bridge_new(struct sim *sim, struct sync_error *err);
void sim_bridge_free(struct sim *sim);
sync_http_handler sim_handle;
#endif
