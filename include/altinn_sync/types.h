/*
 * Plain values that every part shares: bytes, UUIDs, times, systems.
 * Times are int64 microseconds since 1970 UTC; PostgreSQL's -infinity and infinity are INT64_MIN and INT64_MAX.
 */
#ifndef ALTINN_SYNC_TYPES_H
#define ALTINN_SYNC_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Borrowed bytes; whoever hands them out says until when they are valid. data may be NULL when size is 0. */
struct sync_bytes {
    const uint8_t *data;
    size_t size;
};

struct sync_uuid {
    uint8_t bytes[16]; /* network byte order */
};

/* The system in which something was born. The numbers are those of sync.seen.source. */
enum sync_system {
    SYNC_SYSTEM_NONE = 0,
    SYNC_SYSTEM_ALTINN2 = 2,
    SYNC_SYSTEM_ALTINN3 = 3,
};

static inline struct sync_bytes sync_bytes_text(const char *text)
{
    return (struct sync_bytes){(const uint8_t *)text, strlen(text)};
}

static inline bool sync_bytes_equal(struct sync_bytes a, struct sync_bytes b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline int sync_uuid_compare(const struct sync_uuid *a, const struct sync_uuid *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes);
}

static inline bool sync_uuid_is_zero(const struct sync_uuid *id)
{
    static const struct sync_uuid zero;
    return sync_uuid_compare(id, &zero) == 0;
}

/* Second of a time: floor, not truncation towards zero, so that times before 1970 keep their order. */
static inline int64_t sync_second_of(int64_t time_us)
{
    int64_t second = time_us / 1000000;
    return time_us % 1000000 < 0 ? second - 1 : second;
}

/* Bytes of a UUID as text without the ending NUL, and with it. */
#define SYNC_UUID_TEXT 36
#define SYNC_UUID_BUFFER 37

/*
 * Writes the 36 lower-case characters and a NUL.
 * Owns: nothing.  Blocks: no.  Fails: never.
 */
void sync_uuid_format(const struct sync_uuid *id, char ret_text[static SYNC_UUID_BUFFER]);

/*
 * Reads the 36-character form, either case; anything else is refused.
 * Owns: nothing.  Blocks: no.  Fails: false, and ret_id is untouched.
 */
bool sync_uuid_parse(struct sync_bytes text, struct sync_uuid *ret_id);

#endif
