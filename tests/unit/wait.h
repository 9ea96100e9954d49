/*
 * The pause between two looks at a condition that has a deadline. Not here: waiting for time to
 * pass; no test does that.
 */
#ifndef SYNC_TESTS_WAIT_H
#define SYNC_TESTS_WAIT_H
#include <poll.h>

static inline void wait_a_moment(void)
{
    (void)poll(NULL, 0, 1); /* 1 ms */
}

#endif
