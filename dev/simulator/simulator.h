/*
 * What the simulators of Altinn 2 do alike: a database that may be away, users who act at a rate,
 * the file of faults, signals. Each has a struct of its own that begins with this one. Not here:
 * calls that come in (calls.h), calls that go out (push.h).
 */
#ifndef SIMULATOR_H
#define SIMULATOR_H
#include "faults.h"

#include <runtime/postgres.h>
#include <signal.h>
#include <stdatomic.h>

#define SIMULATOR_FAULTS_BYTES_MAX 65536

struct simulator {
    const char *dsn;
    atomic_bool acting, stopping;
    int64_t started_us; /* monotonic */
};

/* Makes a connection that keeps trying until it stands or the simulator stops; NULL when it stops.
 */
struct sync_db *simulator_connect(struct simulator *simulator, const char *part);
/* Logs a failed transaction and waits before the next try. */
void simulator_database_failed(struct simulator *simulator, const char *part,
                               const struct sync_error *err);

/* Text of the file of faults. Fails: FATAL file, naming it. */
sync_status simulator_faults_read(const char *name,
                                  char ret_text[static SIMULATOR_FAULTS_BYTES_MAX + 1],
                                  struct sync_error *err);

/* How users act: plan makes up acts one by one, write then does all that were planned. */
struct simulator_acts {
    double rate;               /* in a second */
    long act_seconds;          /* 0 = until told to stop */
    long acts;                 /* 0 = any number; done counts those of earlier runs */
    const atomic_llong *done;  /* acts that were written */
    size_t planned_max;        /* of one turn */
    bool (*plan)(void *actor); /* false: nothing was found to do */
    void (*write)(void *actor);
    void *actor;
};
/* Acts until the simulator stops, acting ends or enough is done. */
void simulator_act(struct simulator *simulator, const struct simulator_acts *acts);

/* Keeps the signals of the program away from every thread that follows. */
void simulator_block_signals(sigset_t *ret_signals);
/* Waits for signals: SIGUSR1 ends the acts, SIGTERM and SIGINT end everything. */
void simulator_wait_for_end(struct simulator *simulator, const sigset_t *signals,
                            const atomic_llong *acts);
#endif
