/*
 * Writes JSON lines: escapes, scrubs numbers that look like national ids, counts repeats instead of
 * writing them. Not here: deciding what is worth a line.
 */
#include "log.h"

#include "../core/limits.h"
#include "clock.h"
#include "time_text.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ID_DIGITS  11
#define TAIL_BYTES 64 /* room for the count of repeats and the end of the line */

/* A line without its time, so that repeats are equal. */
struct text {
    char bytes[SYNC_LOG_LINE_BYTES_MAX];
    size_t size;
    bool full;
};

struct recent {
    struct text body;
    int64_t since_us; /* 0 = free */
    int64_t repeats;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static enum sync_level lowest = SYNC_INFO;
static char own_component[64];
static struct recent recents[SYNC_LOG_RECENT_LINES];
static const char *const level_words[] = {"debug", "info", "warn", "error"};

static void put(struct text *text, const char *bytes, size_t size)
{
    if (text->full || size > sizeof text->bytes - TAIL_BYTES - text->size) {
        text->full = true; /* what follows is left out whole: half of it would break the line */
        return;
    }
    memcpy(text->bytes + text->size, bytes, size);
    text->size += size;
}

/* Bytes of one UTF-8 character at the start, 0 when they are none. */
static size_t utf8_size(const unsigned char *at)
{
    size_t size = at[0] < 0x80 ? 1 : at[0] >= 0xF0 ? 4 : at[0] >= 0xE0 ? 3 : 2;
    if (at[0] >= 0x80 && (at[0] < 0xC2 || at[0] > 0xF4)) {
        return 0;
    }
    for (size_t i = 1; i < size; i++) {
        if ((at[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    return size;
}

static size_t digit_run(const char *at)
{
    return strspn(at, "0123456789");
}

/* Characters of a national id at the start: eleven digits, or six and five with one character
 * between. */
static size_t id_size(const char *at)
{
    size_t run = digit_run(at);
    if (run == ID_DIGITS) {
        return run;
    }
    bool parted =
        run == 6 && (at[6] == ' ' || at[6] == '-' || at[6] == '.') && digit_run(at + 7) == 5;
    return parted ? ID_DIGITS + 1 : 0;
}

static void put_character(struct text *text, const unsigned char *at, size_t size)
{
    char escaped[8];
    if (size == 0) {
        put(text, "?", 1);
        return;
    }
    if (at[0] == '"' || at[0] == '\\') {
        put(text, "\\", 1);
    }
    if (at[0] < 0x20 || at[0] == 0x7F) {
        int length = snprintf(escaped, sizeof escaped, "\\u%04x", at[0]);
        put(text, escaped, (size_t)length);
        return;
    }
    put(text, (const char *)at, size);
}

static void put_string(struct text *text, const char *value)
{
    put(text, "\"", 1);
    for (const char *at = value; *at != '\0';) {
        size_t masked = id_size(at);
        if (masked > 0) {
            put(text, "***********", ID_DIGITS);
            at += masked;
            continue;
        }
        size_t run = digit_run(at);
        if (run > 0) {
            put(text, at, run);
            at += run;
            continue;
        }
        size_t size = utf8_size((const unsigned char *)at);
        put_character(text, (const unsigned char *)at, size);
        at += size == 0 ? 1 : size;
    }
    put(text, "\"", 1);
}

static void put_field(struct text *text, const struct sync_log_field *field)
{
    size_t before = text->size;
    char number[32];
    put(text, ",\"", 2);
    put(text, field->name, strlen(field->name));
    put(text, "\":", 2);
    if (field->text != NULL) {
        put_string(text, field->text);
    } else {
        int length = snprintf(number, sizeof number, "%lld", (long long)field->number);
        put(text, number, (size_t)length);
    }
    if (text->full) {
        text->size = before;
    }
}

static void write_line(const struct text *body, int64_t repeats)
{
    char time[SYNC_TIME_BUFFER], line[SYNC_LOG_LINE_BYTES_MAX + 64], tail[TAIL_BYTES];
    sync_time_format(sync_clock_wall_us(), 3, time);
    (void)snprintf(tail, sizeof tail, repeats > 0 ? ",\"repeats\":%lld}\n" : "}\n",
                   (long long)repeats);
    int size = snprintf(line, sizeof line, "{\"ts\":\"%s\",%.*s%s", time, (int)body->size,
                        body->bytes, tail);
    for (ssize_t done = 0, n; done < size; done += n) {
        n = write(STDOUT_FILENO, line + done, (size_t)(size - done));
        if (n <= 0) {
            return; /* nobody reads: there is no place left to say so */
        }
    }
}

static void flush_recents(int64_t now_us, bool all)
{
    for (size_t i = 0; i < SYNC_LOG_RECENT_LINES; i++) {
        struct recent *recent = &recents[i];
        if (recent->since_us == 0 || (!all && now_us - recent->since_us < SYNC_LOG_REPEAT_US)) {
            continue;
        }
        if (recent->repeats > 0) {
            write_line(&recent->body, recent->repeats);
        }
        recent->since_us = 0;
    }
}

/* True when the same line was written within the last second. */
static bool is_repeat(const struct text *body, int64_t now_us)
{
    struct recent *oldest = &recents[0];
    for (size_t i = 0; i < SYNC_LOG_RECENT_LINES; i++) {
        struct recent *recent = &recents[i];
        bool same = recent->body.size == body->size &&
                    memcmp(recent->body.bytes, body->bytes, body->size) == 0;
        if (recent->since_us != 0 && same) {
            recent->repeats++;
            return true;
        }
        oldest = recent->since_us < oldest->since_us ? recent : oldest;
    }
    if (oldest->since_us != 0 && oldest->repeats > 0) {
        write_line(&oldest->body, oldest->repeats);
    }
    oldest->body = *body;
    oldest->since_us = now_us;
    oldest->repeats = 0;
    return false;
}

static void flush_at_exit(void)
{
    (void)pthread_mutex_lock(&lock);
    flush_recents(0, true);
    (void)pthread_mutex_unlock(&lock);
}

void sync_log_init(const char *component, enum sync_level level)
{
    static bool registered;
    (void)pthread_mutex_lock(&lock);
    (void)snprintf(own_component, sizeof own_component, "%s", component);
    lowest = level;
    if (!registered) {
        registered = atexit(flush_at_exit) == 0;
    }
    (void)pthread_mutex_unlock(&lock);
}

void sync_log_set_level(enum sync_level level)
{
    (void)pthread_mutex_lock(&lock);
    lowest = level;
    (void)pthread_mutex_unlock(&lock);
}

bool sync_log_level_parse(const char *word, enum sync_level *ret_level)
{
    for (size_t i = 0; i < sizeof level_words / sizeof level_words[0]; i++) {
        if (strcmp(word, level_words[i]) == 0) {
            *ret_level = (enum sync_level)i;
            return true;
        }
    }
    return false;
}

void sync_log_flush(void)
{
    (void)pthread_mutex_lock(&lock);
    flush_recents(sync_clock_monotonic_us(), false);
    (void)pthread_mutex_unlock(&lock);
}

void sync_log_fields(enum sync_level level, const char *msg, const struct sync_log_field *fields)
{
    static struct text body; /* below the lock */
    (void)pthread_mutex_lock(&lock);
    if (level >= lowest) {
        int64_t now_us = sync_clock_monotonic_us();
        flush_recents(now_us, false);
        body.size = 0;
        body.full = false;
        put(&body, "\"level\":", 8);
        put_string(&body, level_words[level]);
        put_field(&body, &SYNC_LOG_TEXT("msg", msg));
        put_field(&body, &SYNC_LOG_TEXT("component", own_component));
        for (const struct sync_log_field *field = fields; field->name != NULL; field++) {
            put_field(&body, field);
        }
        if (!is_repeat(&body, now_us)) {
            write_line(&body, 0);
        }
    }
    (void)pthread_mutex_unlock(&lock);
}

void sync_log_error(enum sync_level level, const char *msg, const struct sync_error *err)
{
    const char *code = sync_code_word(err->code);
    if (err->field[0] != '\0') {
        sync_log(level, msg, SYNC_LOG_TEXT("code", code), SYNC_LOG_TEXT("field", err->field),
                 SYNC_LOG_TEXT("error", err->text));
        return;
    }
    sync_log(level, msg, SYNC_LOG_TEXT("code", code), SYNC_LOG_TEXT("error", err->text));
}
