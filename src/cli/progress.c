/* Moving average over the last looks, and numbers for people. */
#include "progress.h"

#include <inttypes.h>
#include <stdio.h>

void progress_note(struct progress *progress, int64_t now_us, int64_t done)
{
    size_t last = (progress->count + PROGRESS_SAMPLES - 1) % PROGRESS_SAMPLES;
    if (progress->count == 0 || done > progress->done[last]) {
        progress->moved_us = now_us;
    }
    progress->at_us[progress->count % PROGRESS_SAMPLES] = now_us;
    progress->done[progress->count % PROGRESS_SAMPLES] = done;
    progress->count++;
}

double progress_rate(const struct progress *progress)
{
    if (progress->count < PROGRESS_NEEDED) {
        return -1;
    }
    size_t kept = progress->count < PROGRESS_SAMPLES ? progress->count : PROGRESS_SAMPLES;
    size_t first = (progress->count - kept) % PROGRESS_SAMPLES;
    size_t last = (progress->count - 1) % PROGRESS_SAMPLES;
    int64_t span_us = progress->at_us[last] - progress->at_us[first];
    if (span_us <= 0) {
        return -1;
    }
    return (double)(progress->done[last] - progress->done[first]) * 1e6 / (double)span_us;
}

bool progress_is_stalled(const struct progress *progress, int64_t now_us)
{
    return progress->count >= PROGRESS_NEEDED && now_us - progress->moved_us > PROGRESS_STALL_US;
}

void progress_format_number(int64_t number, char ret_text[static PROGRESS_TEXT])
{
    char digits[24];
    int size = snprintf(digits, sizeof digits, "%" PRId64, number), used = 0;
    for (int i = 0; i < size; i++) {
        if (i > 0 && (size - i) % 3 == 0) {
            ret_text[used++] = ',';
        }
        ret_text[used++] = digits[i];
    }
    ret_text[used] = '\0';
}

void progress_format_time(int64_t seconds, char ret_text[static PROGRESS_TEXT])
{
    if (seconds >= 3600) {
        (void)snprintf(ret_text, PROGRESS_TEXT, "%" PRId64 " h %02d min", seconds / 3600,
                       (int)(seconds % 3600 / 60));
    } else if (seconds >= 60) {
        (void)snprintf(ret_text, PROGRESS_TEXT, "%d min %02d s", (int)(seconds / 60),
                       (int)(seconds % 60));
    } else {
        (void)snprintf(ret_text, PROGRESS_TEXT, "%d s", (int)seconds);
    }
}

void progress_format_left(const struct progress *progress, int64_t now_us, int64_t left,
                          char ret_text[static PROGRESS_TEXT])
{
    double rate = progress_rate(progress);
    ret_text[0] = '\0';
    if (left <= 0) {
        return;
    }
    if (progress_is_stalled(progress, now_us)) {
        (void)snprintf(ret_text, PROGRESS_TEXT, "stalled");
    } else if (rate > 0) {
        double seconds = (double)left / rate;
        progress_format_time(seconds < 1e9 ? (int64_t)(seconds + 0.5) : (int64_t)1e9, ret_text);
    }
}
