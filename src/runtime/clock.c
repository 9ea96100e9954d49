/* The clocks of the shell. */
#include "clock.h"

#include <time.h>

static int64_t read_us(clockid_t clock)
{
    struct timespec now;
    (void)clock_gettime(clock, &now); /* cannot fail for these two clocks */
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t sync_clock_wall_us(void)
{
    return read_us(CLOCK_REALTIME);
}

int64_t sync_clock_monotonic_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}
