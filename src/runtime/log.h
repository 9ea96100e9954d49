/*
 * JSON lines on stdout: one event with fields. Repeats within a second collapse with a count.
 * Thread-safe. No person, id, key or body ever goes in: fields are numbers, rule ids, topics and
 * error texts.
 */
#ifndef SYNC_RUNTIME_LOG_H
#define SYNC_RUNTIME_LOG_H
#include <altinn_sync/status.h>
#include <stdbool.h>
#include <stdint.h>

enum sync_level { SYNC_DEBUG, SYNC_INFO, SYNC_WARN, SYNC_ERROR };

/* At start, before any thread; component: name of the route or capture. Lines before it have none.
 */
void sync_log_init(const char *component, enum sync_level level);

/* For SIGHUP. */
void sync_log_set_level(enum sync_level level);
/* "debug", "info", "warn", "error". False for another word. */
bool sync_log_level_parse(const char *word, enum sync_level *ret_level);
/* Writes the counts of repeats whose second is over; the next line and the end of the process do it
 * too. */
void sync_log_flush(void);

/* One field; a NULL name ends the list. */
struct sync_log_field {
    const char *name;
    const char *text; /* used when not NULL */
    int64_t number;
};
#define SYNC_LOG_TEXT(n, t)   ((struct sync_log_field){(n), (t), 0})
#define SYNC_LOG_NUMBER(n, v) ((struct sync_log_field){(n), NULL, (v)})
/* sync_log(SYNC_INFO, "fenced", SYNC_LOG_TEXT("topic", t), SYNC_LOG_NUMBER("partition", p)); */
#define sync_log(level, msg, ...)                                                                  \
    sync_log_fields((level), (msg),                                                                \
                    (const struct sync_log_field[]){__VA_ARGS__ __VA_OPT__(, ){NULL, NULL, 0}})
void sync_log_fields(enum sync_level level, const char *msg, const struct sync_log_field *fields);
/* An error: its text as "error", its code and field besides. */
void sync_log_error(enum sync_level level, const char *msg, const struct sync_error *err);
#endif
