/*
 * Calls that come in: the listener keeps each, one thread does them in turn and answers when their
 * time has come. Faults happen here. Not here: what a call does (its simulator).
 */
#ifndef SIMULATOR_CALLS_H
#define SIMULATOR_CALLS_H
#include "simulator.h"

#include <pthread.h>
#include <runtime/http_server.h>
#include <runtime/json.h>

#define SIMULATOR_CALLS_MAX 256 /* kept at the same time */

/* A simulator's struct of a call begins with this one. */
struct simulator_call {
    struct sync_http_request *request; /* NULL = free */
    int code;                          /* of the answer */
    int applied;                       /* how often it is done */
    bool is_lost, is_repeated;         /* faults: no answer; the page before once more */
    bool is_uncounted;                 /* no call of the bridge: its answer stands in no table */
    bool is_decided;                   /* done: waits for its time */
    int64_t answer_at_us;
    char *text; /* body of the answer, freed with it */
};

struct simulator_calls {
    struct simulator *simulator;
    char *items;
    size_t item_size;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    atomic_llong codes[600], lost, faults;
    uint64_t random; /* of the faults; also for the simulator's thread */
};

/* Owns: simulator_calls_done frees what it made. Fails: FATAL memory_limit. */
sync_status simulator_calls_init(struct simulator_calls *calls, struct simulator *simulator,
                                 size_t item_size, uint64_t seed, struct sync_error *err);
void simulator_calls_done(struct simulator_calls *calls);

/* Listener: keeps a copy for the thread; false when there is no place. */
bool simulator_calls_keep(struct simulator_calls *calls, const struct simulator_call *call);
/* Answers at once. text: a JSON body, NULL = none. */
void simulator_calls_answer(struct simulator_calls *calls, struct sync_http_request *request,
                            int code, const char *text);

/*
 * Which faults hit this call now: changes code, applied and the rest. Returns the word for the
 * journal, NULL = none.
 */
const char *simulator_calls_hit(struct simulator_calls *calls, const struct faults *faults,
                                struct simulator_call *call);

/* The thread: does what comes in with work, until the simulator stops. */
void simulator_calls_run(struct simulator_calls *calls,
                         void (*work)(void *context, struct simulator_call *call), void *context);
/* Answers what is left; what was not done, with 503. */
void simulator_calls_end(struct simulator_calls *calls);

/* Adds the object "codes": how many answers had which. */
void simulator_calls_put(struct simulator_calls *calls, struct sync_json_writer *writer);
#endif
