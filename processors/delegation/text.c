/* Canonical form of texts (DL-05), and digests. Not here: what a text means. */
#include "parts.h"

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

static char lower(uint8_t byte)
{
    return (char)(byte >= 'A' && byte <= 'Z' ? byte + ('a' - 'A') : byte);
}

bool delegation_text_take(struct sync_bytes text, char *ret_text, size_t capacity)
{
    while (text.size > 0 && is_blank(text.data[0])) {
        text.data++;
        text.size--;
    }
    while (text.size > 0 && is_blank(text.data[text.size - 1])) {
        text.size--;
    }
    if (text.size == 0 || text.size >= capacity) {
        return false;
    }
    for (size_t i = 0; i < text.size; i++) {
        ret_text[i] = lower(text.data[i]);
    }
    ret_text[text.size] = '\0';
    return true;
}

bool delegation_text_has(const char *text, const char *part)
{
    size_t size = strlen(part);
    for (; *text != '\0'; text++) {
        if (strncmp(text, part, size) == 0) {
            return true;
        }
    }
    return size == 0;
}

const char *delegation_role_of(const char *target)
{
    static const char prefix[] = "urn:altinn:rolecode:";
    size_t size = sizeof prefix - 1;
    return strncmp(target, prefix, size) == 0 ? target + size : NULL;
}

/* FNV-1a. It names reports of our own writes, which nobody has a reason to forge. */
uint64_t delegation_digest(uint64_t digest, const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    for (size_t i = 0; i < size; i++) {
        digest = (digest ^ at[i]) * 0x100000001b3ULL;
    }
    return digest;
}
