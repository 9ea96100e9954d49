/*
 * Plain values that every part shares: bytes, UUIDs, times, systems.
 * Times are int64 microseconds since 1970 UTC; PostgreSQL's -infinity and infinity are INT64_MIN
 * and INT64_MAX.
 */
#ifndef ALTINN_SYNC_TYPES_H
#define ALTINN_SYNC_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Borrowed bytes; whoever hands them out says until when they are valid. data may be NULL when size
 * is 0. */
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
    SYNC_SYSTEM_SYS = 9, /* facts above both: death, end of a relation, purge, merge */
};

/*
 * A list of texts, as the blocks of an Avro array, the ending 0 included. A decoded one is checked:
 * well-formed, UTF-8 without NUL. All zero = empty. Borrowed like struct sync_bytes.
 */
struct sync_texts {
    const uint8_t *data;
    size_t size;
    size_t count;      /* of all texts, or of those that are left */
    size_t block_left; /* where sync_texts_next stands; 0 in a fresh list */
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

/* Second of a time: floor, not truncation towards zero, so that times before 1970 keep their order.
 */
static inline int64_t sync_second_of(int64_t time_us)
{
    int64_t second = time_us / 1000000;
    return time_us % 1000000 < 0 ? second - 1 : second;
}

/* Bytes of a UUID as text without the ending NUL, and with it. */
#define SYNC_UUID_TEXT   36
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

/*
 * Takes the first text off a list: copy the list, then call until it says false.
 * Owns: ret_text points into the list's bytes.  Blocks: no.  Fails: false at the end, and ret_text
 * is untouched.
 */
bool sync_texts_next(struct sync_texts *left, struct sync_bytes *ret_text);

/*
 * Writes a list into room that the caller owns, which must live as long as the list.
 * Blocks: no.  Fails: false when the room is too small, and ret_texts is untouched.
 */
bool sync_texts_make(const struct sync_bytes *items, size_t count, uint8_t *room, size_t room_size,
                     struct sync_texts *ret_texts);

#endif
