/* What the probes tell. Not here: HTTP (probes.c), deciding what a loop does when something is
 * down. */
#include "health.h"

#include "clock.h"

#include <altinn_sync/status.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct loop_state {
    bool expected;
    int64_t silence_max_us, beat_us;
};

struct dependency_state {
    bool needed, reachable;
};

struct state {
    struct loop_state loops[SYNC_LOOP_COUNT];
    struct dependency_state dependencies[SYNC_DEP_COUNT];
    bool started;
    int stopped_partitions;
    bool paused;
    double age_s, age_budget_s;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct state state;
static const char *const loop_names[SYNC_LOOP_COUNT] = {
    [SYNC_LOOP_POLL] = "poll",     [SYNC_LOOP_APPLY] = "apply", [SYNC_LOOP_SEND] = "send",
    [SYNC_LOOP_STREAM] = "stream", [SYNC_LOOP_FEED] = "feed",   [SYNC_LOOP_LOOK] = "look",
};
static const char *const dependency_names[SYNC_DEP_COUNT] = {
    [SYNC_DEP_KAFKA] = "kafka",
    [SYNC_DEP_DATABASE] = "database",
    [SYNC_DEP_BRIDGE] = "bridge",
};

void sync_health_init(void)
{
    (void)pthread_mutex_lock(&lock);
    memset(&state, 0, sizeof state);
    (void)pthread_mutex_unlock(&lock);
}

void sync_health_expect(enum sync_loop loop, int64_t silence_max_ms)
{
    (void)pthread_mutex_lock(&lock);
    state.loops[loop] = (struct loop_state){true, silence_max_ms * 1000, sync_clock_monotonic_us()};
    (void)pthread_mutex_unlock(&lock);
}

void sync_health_beat(enum sync_loop loop)
{
    (void)pthread_mutex_lock(&lock);
    state.loops[loop].beat_us = sync_clock_monotonic_us();
    (void)pthread_mutex_unlock(&lock);
}

void sync_health_need(enum sync_dependency dependency)
{
    (void)pthread_mutex_lock(&lock);
    state.dependencies[dependency].needed = true;
    (void)pthread_mutex_unlock(&lock);
}

void sync_health_set(enum sync_dependency dependency, bool reachable)
{
    (void)pthread_mutex_lock(&lock);
    state.dependencies[dependency].reachable = reachable;
    (void)pthread_mutex_unlock(&lock);
}

void sync_health_started(void)
{
    (void)pthread_mutex_lock(&lock);
    state.started = true;
    (void)pthread_mutex_unlock(&lock);
}

void sync_health_stopped_partitions(int count)
{
    (void)pthread_mutex_lock(&lock);
    state.stopped_partitions = count;
    (void)pthread_mutex_unlock(&lock);
}

void sync_health_paused(bool paused)
{
    (void)pthread_mutex_lock(&lock);
    state.paused = paused;
    (void)pthread_mutex_unlock(&lock);
}

void sync_health_oldest_age(double seconds, double budget_seconds)
{
    (void)pthread_mutex_lock(&lock);
    state.age_s = seconds;
    state.age_budget_s = budget_seconds;
    (void)pthread_mutex_unlock(&lock);
}

/* Answer ------------------------------------------------------------------------------------ */

struct answer {
    char *text;
    size_t capacity, used;
    bool verbose, good;
};

__attribute__((format(printf, 3, 4))) static void check(struct answer *answer, bool good,
                                                        const char *format, ...)
{
    answer->good &= good;
    if ((good && !answer->verbose) || answer->used + 1 >= answer->capacity) {
        return;
    }
    char line[160];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(line, sizeof line, format, args);
    va_end(args);
    int added = snprintf(answer->text + answer->used, answer->capacity - answer->used, "%s %s\n",
                         good ? "[+]" : "[-]", line);
    size_t room = answer->capacity - answer->used - 1;
    answer->used += (size_t)added < room ? (size_t)added : room;
}

static void check_live(struct answer *answer)
{
    int64_t now_us = sync_clock_monotonic_us();
    for (int i = 0; i < SYNC_LOOP_COUNT; i++) {
        const struct loop_state *loop = &state.loops[i];
        int64_t silent_us = now_us - loop->beat_us;
        if (loop->expected) {
            check(answer, silent_us <= loop->silence_max_us,
                  "loop %s turned %.1f s ago (limit %.1f s)", loop_names[i],
                  (double)silent_us / 1e6, (double)loop->silence_max_us / 1e6);
        }
    }
}

static void check_started(struct answer *answer)
{
    check(answer, state.started,
          state.started ? "started" : "starting: the first claim has no answer yet");
}

static void check_ready(struct answer *answer)
{
    check_started(answer);
    for (int i = 0; i < SYNC_DEP_COUNT; i++) {
        const struct dependency_state *dependency = &state.dependencies[i];
        if (dependency->needed) {
            check(answer, dependency->reachable, "%s %s", dependency_names[i],
                  dependency->reachable ? "reachable" : "not reachable");
        }
    }
    check(answer, state.stopped_partitions == 0, "%d stopped partitions", state.stopped_partitions);
    if (state.paused) { /* on purpose: a rollout must not wait for it */
        check(answer, true, "paused by an operator, oldest unapplied change %.1f s old",
              state.age_s);
    } else if (state.age_budget_s > 0) { /* a receiver keeps nothing that could grow old */
        check(answer, state.age_s <= state.age_budget_s,
              "oldest unapplied change %.1f s old (budget %.1f s)", state.age_s,
              state.age_budget_s);
    }
}

int sync_health_probe(const char *name, bool verbose, char *ret_text, size_t capacity)
{
    struct answer answer = {ret_text, capacity, 0, verbose, true};
    SYNC_ASSERT(capacity > 4);
    ret_text[0] = '\0';
    bool known = true;
    (void)pthread_mutex_lock(&lock);
    if (strcmp(name, "livez") == 0 || strcmp(name, "healthz") == 0) {
        check_live(&answer);
    } else if (strcmp(name, "readyz") == 0) {
        check_ready(&answer);
    } else if (strcmp(name, "startupz") == 0) {
        check_started(&answer);
    } else {
        known = false;
    }
    (void)pthread_mutex_unlock(&lock);
    if (!known) {
        return 404;
    }
    if (answer.good && answer.used + 4 <= capacity) {
        memcpy(ret_text + answer.used, "ok\n", 4);
    }
    return answer.good ? 200 : 503;
}
