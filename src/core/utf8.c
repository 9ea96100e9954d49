/* UTF-8 checks, after the table of well-formed sequences in the Unicode standard. Not here:
 * conversion. */
#include "utf8.h"

#include <altinn_sync/status.h>

/* The second byte carries the whole difference between well-formed and overlong, surrogate or too
 * high. */
static bool second_is_good(uint8_t first, uint8_t second)
{
    SYNC_ASSERT(first >= 0xC2);
    SYNC_ASSERT(first <= 0xF4);
    uint8_t low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
    uint8_t high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
    return second >= low && second <= high;
}

size_t sync_utf8_sequence(struct sync_bytes text)
{
    SYNC_ASSERT(text.data != NULL || text.size == 0);
    if (text.size == 0) {
        return 0;
    }
    uint8_t first = text.data[0];
    if (first < 0x80) {
        return 1;
    }
    if (first < 0xC2 || first > 0xF4) {
        return 0;
    }
    size_t size = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    if (size > text.size || !second_is_good(first, text.data[1])) {
        return 0;
    }
    for (size_t i = 2; i < size; i++) {
        if ((text.data[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    SYNC_ASSERT(size <= text.size);
    return size;
}

/* Eight bytes at once: none is NUL and none is above ASCII. Most text is like that. */
static bool is_plain_word(const uint8_t *data)
{
    SYNC_ASSERT(data != NULL);
    const uint64_t low = 0x0101010101010101u;
    const uint64_t high = 0x8080808080808080u;
    uint64_t word;
    memcpy(&word, data, sizeof word);
    SYNC_ASSERT((low << 7) == high);
    return ((word | ((word - low) & ~word)) & high) == 0;
}

bool sync_utf8_is_text(struct sync_bytes text)
{
    SYNC_ASSERT(text.data != NULL || text.size == 0);
    size_t at = 0;
    while (at < text.size) {
        if (text.size - at >= sizeof(uint64_t) && is_plain_word(text.data + at)) {
            at += sizeof(uint64_t);
            continue;
        }
        size_t size = sync_utf8_sequence((struct sync_bytes){text.data + at, text.size - at});
        if (size == 0 || text.data[at] == 0) {
            return false;
        }
        at += size;
    }
    SYNC_ASSERT(at == text.size);
    return true;
}

void sync_utf8_mend(char *text)
{
    SYNC_ASSERT(text != NULL);
    size_t size = strlen(text);
    for (size_t at = 0; at < size;) {
        size_t step =
            sync_utf8_sequence((struct sync_bytes){(const uint8_t *)text + at, size - at});
        if (step == 0) {
            text[at] = '?';
            step = 1;
        }
        at += step;
        SYNC_ASSERT(at <= size);
    }
}
