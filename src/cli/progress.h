/*
 * How fast a long task goes and when it will be over, from looks at how much is done. Pure. Not
 * here: looking, printing.
 */
#ifndef SYNC_CLI_PROGRESS_H
#define SYNC_CLI_PROGRESS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROGRESS_SAMPLES  16 /* of the moving average */
#define PROGRESS_NEEDED   3  /* before that nothing is said */
#define PROGRESS_STALL_US 15000000LL

struct progress {
    int64_t at_us[PROGRESS_SAMPLES], done[PROGRESS_SAMPLES]; /* ring */
    size_t count;                                            /* of all looks so far */
    int64_t moved_us;                                        /* when done last grew */
};

/* One look: done never falls, time never stands still. */
void progress_note(struct progress *progress, int64_t now_us, int64_t done);

/* Units per second over the last looks; below 0 when it is not known yet. */
double progress_rate(const struct progress *progress);

/* Whether nothing has moved for so long that no end can be told. */
bool progress_is_stalled(const struct progress *progress, int64_t now_us);

/* "12,345,678" of a number that is not negative, and "2 h 05 min", "3 min 20 s", "42 s". */
#define PROGRESS_TEXT 32
void progress_format_number(int64_t number, char ret_text[static PROGRESS_TEXT]);
void progress_format_time(int64_t seconds, char ret_text[static PROGRESS_TEXT]);

/* What is left at the present rate; "" when it is not known yet, "stalled" when nothing moves. */
void progress_format_left(const struct progress *progress, int64_t now_us, int64_t left,
                          char ret_text[static PROGRESS_TEXT]);
#endif
