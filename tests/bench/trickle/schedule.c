/* Which act is due when, and how late it was done. Not here: the acts. */
#include "trickle.h"

#include <poll.h>
#include <runtime/clock.h>
#include <runtime/id.h>
#include <stdio.h>
#include <time.h>

static const struct sync_uuid names = {{0x6f, 0x1c, 0x1b, 0x6e, 0x0b, 0x0a, 0x5c, 0x68, 0x9d, 0x53,
                                        0x0d, 0x6a, 0x4f, 0x4f, 0x2f, 0x10}};

static struct sync_uuid named(const char *kind, int64_t number)
{
    char name[40];
    (void)snprintf(name, sizeof name, "%s/%lld", kind, (long long)number);
    return sync_id_v5(&names, sync_bytes_text(name));
}

struct sync_uuid trickle_message(int64_t altinn2_id)
{
    return named("test", altinn2_id);
}

struct sync_uuid trickle_party(int64_t number)
{
    return named("party", number);
}

int64_t trickle_due_us(const struct trickle *trickle, int64_t act)
{
    return trickle->from_us + act * 1000000 / trickle->rate;
}

void trickle_wait(const struct trickle *trickle, int64_t act)
{
    int64_t left_us = trickle_due_us(trickle, act) - sync_clock_wall_us();
    while (left_us > 0) {
        struct timespec left = {left_us / 1000000, left_us % 1000000 * 1000};
        (void)ppoll(NULL, 0, &left, NULL);
        left_us = trickle_due_us(trickle, act) - sync_clock_wall_us();
    }
}

void trickle_done(struct trickle *trickle, int64_t act)
{
    trickle->late_us[act] = sync_clock_wall_us() - trickle_due_us(trickle, act);
}
