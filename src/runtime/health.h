/*
 * What /livez, /readyz and /startupz tell: the loops beat, dependencies are set reachable or not,
 * the oldest unapplied age is kept. Thread-safe.
 */
#ifndef SYNC_RUNTIME_HEALTH_H
#define SYNC_RUNTIME_HEALTH_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sync_loop {
    SYNC_LOOP_POLL,
    SYNC_LOOP_APPLY,
    SYNC_LOOP_SEND,
    SYNC_LOOP_STREAM,
    SYNC_LOOP_FEED,
    SYNC_LOOP_LOOK,
    SYNC_LOOP_COUNT
};
enum sync_dependency { SYNC_DEP_KAFKA, SYNC_DEP_DATABASE, SYNC_DEP_BRIDGE, SYNC_DEP_COUNT };

/* Forgets everything: nothing expected, nothing needed, not started. */
void sync_health_init(void);
void sync_health_expect(enum sync_loop loop, int64_t silence_max_ms); /* this loop exists */
void sync_health_beat(enum sync_loop loop);
void sync_health_need(enum sync_dependency dependency); /* this process needs it */
void sync_health_set(enum sync_dependency dependency, bool reachable);
void sync_health_started(void); /* configuration accepted, first claim answered */
void sync_health_stopped_partitions(int count);
/* An operator paused this process: it stays ready, however old what waits becomes. */
void sync_health_paused(bool paused);
void sync_health_oldest_age(double seconds, double budget_seconds); /* budget 0 = any age */

/*
 * Text of one probe ("livez", its alias "healthz", "readyz", "startupz"): "ok", or the checks that
 * fail; with verbose all checks. Returns the HTTP code: 200, 503, or 404 for another name.
 */
int sync_health_probe(const char *name, bool verbose, char *ret_text, size_t capacity);
#endif
