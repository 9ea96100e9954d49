/* The clocks of the shell. Rules never see them. */
#ifndef SYNC_RUNTIME_CLOCK_H
#define SYNC_RUNTIME_CLOCK_H
#include <stdint.h>
int64_t sync_clock_wall_us(void);      /* UTC */
int64_t sync_clock_monotonic_us(void); /* for time-outs and rates */
#endif
