/* Rate and pauses of a simulator with one thread. Not here: acts. */
#include "pace.h"

#include <errno.h>
#include <poll.h>
#include <runtime/clock.h>
#include <stdio.h>
#include <string.h>

#define TURN_MS   20
#define BEHIND_US 1000000LL /* acts of an outage are not caught up with: people do not queue */

bool simulator_pace_read(struct simulator_pace *pace, const char *program, const char *path)
{
    char line[256];
    FILE *file = fopen(path, "r");
    if (!file) {
        (void)fprintf(stderr, "%s: open %s: %s\n", program, path, strerror(errno));
        return false;
    }
    while (fgets(line, sizeof line, file)) {
        long at_s = 0, for_s = 0;
        char what[16] = "";
        if (sscanf(line, " at %lds for %lds altinn3 %15s", &at_s, &for_s, what) == 3 &&
            strcmp(what, "pause") == 0 && pace->pause_count < SIMULATOR_PAUSES_MAX) {
            pace->pauses[pace->pause_count].from_us = at_s * 1000000LL;
            pace->pauses[pace->pause_count++].to_us = (at_s + for_s) * 1000000LL;
        }
    }
    (void)fclose(file);
    return true;
}

void simulator_pace_begin(struct simulator_pace *pace)
{
    pace->begun_us = sync_clock_monotonic_us();
    pace->next_us = pace->begun_us;
}

static bool is_paused(const struct simulator_pace *pace, int64_t since_us)
{
    for (size_t i = 0; i < pace->pause_count; i++) {
        if (since_us >= pace->pauses[i].from_us && since_us < pace->pauses[i].to_us) {
            return true;
        }
    }
    return false;
}

bool simulator_pace_due(struct simulator_pace *pace, bool is_over)
{
    int64_t now_us = sync_clock_monotonic_us();
    if (is_over || pace->rate <= 0 || is_paused(pace, now_us - pace->begun_us) ||
        now_us < pace->next_us) {
        int64_t wait_ms = (pace->next_us - now_us) / 1000;
        (void)poll(NULL, 0, wait_ms > 0 && wait_ms < TURN_MS ? (int)wait_ms : TURN_MS);
        return false;
    }
    pace->next_us += (int64_t)(1000000 / pace->rate);
    if (now_us - pace->next_us > BEHIND_US) {
        pace->next_us = now_us;
    }
    return true;
}
