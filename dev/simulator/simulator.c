/* Database, acts, file of faults and signals of a simulator. Not here: what users do. */
#include "simulator.h"

#include <limits.h>
#include <runtime/clock.h>
#include <runtime/log.h>
#include <stdio.h>
#include <time.h>

#define TICK_MS 50

/* Database. */

struct sync_db *simulator_connect(struct simulator *simulator, const char *part)
{
    struct sync_db *db = NULL;
    struct sync_error err = {0};
    struct sync_db_options options = {.dsn = simulator->dsn, .application = part};
    if (!sync_is_ok(sync_db_new(&options, &db, &err))) {
        sync_log_error(SYNC_ERROR, "database", &err);
        return NULL;
    }
    while (!sync_is_ok(sync_db_connect(db, &err))) {
        simulator_database_failed(simulator, part, &err);
        if (atomic_load(&simulator->stopping)) {
            sync_db_free(&db);
            return NULL;
        }
    }
    return db;
}

void simulator_database_failed(struct simulator *simulator, const char *part,
                               const struct sync_error *err)
{
    sync_log(SYNC_WARN, "database_failed", SYNC_LOG_TEXT("part", part),
             SYNC_LOG_TEXT("error", err->text));
    for (int i = 0; i < 10 && !atomic_load(&simulator->stopping); i++) {
        nanosleep(&(struct timespec){.tv_nsec = 20 * 1000000L}, NULL);
    }
}

/* Faults. */

static void close_file(FILE **file)
{
    if (*file) {
        fclose(*file);
    }
}

sync_status simulator_faults_read(const char *name,
                                  char ret_text[static SIMULATOR_FAULTS_BYTES_MAX + 1],
                                  struct sync_error *err)
{
    __attribute__((cleanup(close_file))) FILE *file = fopen(name, "r");
    size_t size = file ? fread(ret_text, 1, SIMULATOR_FAULTS_BYTES_MAX + 1, file) : 0;
    if (!file || ferror(file) || size > SIMULATOR_FAULTS_BYTES_MAX) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_FILE,
                         "read %s: it cannot be read or is larger than %d bytes", name,
                         SIMULATOR_FAULTS_BYTES_MAX);
    }
    ret_text[size] = '\0';
    return SYNC_OK;
}

/* Acts. */

/* How many acts are still wanted. */
static long long acts_left(const struct simulator_acts *acts)
{
    long long done = atomic_load(acts->done);
    if (acts->acts == 0) {
        return LLONG_MAX;
    }
    return done < acts->acts ? acts->acts - done : 0;
}

void simulator_act(struct simulator *simulator, const struct simulator_acts *acts)
{
    double due = 0;
    int64_t before_us = sync_clock_monotonic_us();
    int64_t end_us = acts->act_seconds > 0 ? before_us + acts->act_seconds * 1000000LL : INT64_MAX;
    while (!atomic_load(&simulator->stopping) && atomic_load(&simulator->acting)) {
        nanosleep(&(struct timespec){.tv_nsec = TICK_MS * 1000000L}, NULL);
        int64_t now_us = sync_clock_monotonic_us();
        due += (double)(now_us - before_us) / 1e6 * acts->rate;
        before_us = now_us;
        long long left = acts_left(acts);
        if (now_us >= end_us || left == 0) {
            atomic_store(&simulator->acting, false);
        }
        size_t planned = 0;
        for (; due >= 1 && planned < acts->planned_max && (long long)planned < left; due--) {
            planned += acts->plan(acts->actor);
        }
        double most = (double)acts->planned_max;
        due = due > most ? most : due; /* what a slow database delayed is not made up for */
        if (planned > 0) {
            acts->write(acts->actor);
        }
    }
}

/* Signals. */

void simulator_block_signals(sigset_t *ret_signals)
{
    sigemptyset(ret_signals);
    sigaddset(ret_signals, SIGTERM);
    sigaddset(ret_signals, SIGINT);
    sigaddset(ret_signals, SIGUSR1);
    signal(SIGPIPE, SIG_IGN);
    pthread_sigmask(SIG_BLOCK, ret_signals, NULL);
}

void simulator_wait_for_end(struct simulator *simulator, const sigset_t *signals,
                            const atomic_llong *acts)
{
    int number = 0;
    while (sigwait(signals, &number) == 0 && number == SIGUSR1) {
        atomic_store(&simulator->acting, false);
        sync_log(SYNC_INFO, "acts_stopped", SYNC_LOG_NUMBER("acts", atomic_load(acts)));
    }
    atomic_store(&simulator->stopping, true);
}
