/*
 * The pace of a simulator with one thread: an act at a time at a steady rate, and the pauses that a
 * file of faults orders ("at 20s for 10s altinn3 pause"). Not here: what an act is.
 */
#ifndef SIMULATOR_PACE_H
#define SIMULATOR_PACE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIMULATOR_PAUSES_MAX 16

struct simulator_pace {
    double rate; /* acts in a second */
    int64_t begun_us, next_us;
    struct {
        int64_t from_us, to_us; /* since it began */
    } pauses[SIMULATOR_PAUSES_MAX];
    size_t pause_count;
};

/* Lines that are not ours are left alone. False after saying that the file cannot be read. */
bool simulator_pace_read(struct simulator_pace *pace, const char *program, const char *path);

/* Now is the beginning, and the time of the first act. */
void simulator_pace_begin(struct simulator_pace *pace);

/* True when the next act is due now; else false after a short wait. is_over: none is wanted. */
bool simulator_pace_due(struct simulator_pace *pace, bool is_over);
#endif
