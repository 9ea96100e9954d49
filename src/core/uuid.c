/* UUIDs as text. Not here: making them (src/runtime/id.h). */
#include <altinn_sync/status.h>
#include <altinn_sync/types.h>

void sync_uuid_format(const struct sync_uuid *id, char ret_text[static SYNC_UUID_BUFFER])
{
    SYNC_ASSERT(id != NULL);
    SYNC_ASSERT(ret_text != NULL);
    static const char digits[] = "0123456789abcdef";
    char *out = ret_text;
    for (size_t i = 0; i < sizeof id->bytes; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            *out++ = '-';
        }
        *out++ = digits[id->bytes[i] >> 4];
        *out++ = digits[id->bytes[i] & 15];
    }
    *out = '\0';
}

static int digit_of(uint8_t character)
{
    if (character >= '0' && character <= '9') {
        return character - '0';
    }
    if (character >= 'a' && character <= 'f') {
        return character - 'a' + 10;
    }
    if (character >= 'A' && character <= 'F') {
        return character - 'A' + 10;
    }
    return -1;
}

bool sync_uuid_parse(struct sync_bytes text, struct sync_uuid *ret_id)
{
    SYNC_ASSERT(ret_id != NULL);
    SYNC_ASSERT(text.data != NULL || text.size == 0);
    if (text.size != SYNC_UUID_TEXT) {
        return false;
    }
    struct sync_uuid id;
    size_t at = 0;
    for (size_t i = 0; i < sizeof id.bytes; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            if (text.data[at++] != '-') {
                return false;
            }
        }
        int high = digit_of(text.data[at]);
        int low = digit_of(text.data[at + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        id.bytes[i] = (uint8_t)(high << 4 | low);
        at += 2;
    }
    *ret_id = id;
    return true;
}
