/* Digests and the partition of a key. The only user of xxHash. */
#include "digest.h"

#include <altinn_sync/status.h>
#include <openssl/evp.h>

/* Inlined: the size of its state on our stack must be that of the code that uses it. */
#define XXH_INLINE_ALL
#include <xxhash.h>

static void put_big_endian(uint8_t *to, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        to[i] = (uint8_t)(value >> (8 * (size - 1 - i)));
    }
}

static void add_field(XXH3_state_t *state, struct sync_bytes bytes)
{
    uint8_t size[4];
    SYNC_ASSERT(bytes.size <= INT32_MAX);
    put_big_endian(size, bytes.data == NULL ? UINT32_MAX : bytes.size, sizeof size);
    XXH_errorcode code = XXH3_128bits_update(state, size, sizeof size);
    SYNC_ASSERT(code == XXH_OK);
    if (bytes.data != NULL && bytes.size > 0) {
        code = XXH3_128bits_update(state, bytes.data, bytes.size);
        SYNC_ASSERT(code == XXH_OK);
    }
}

static struct sync_digest digest_end(const XXH3_state_t *state)
{
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(state));
    struct sync_digest digest;
    _Static_assert(sizeof canonical.digest == sizeof digest.bytes, "128 bits");
    memcpy(digest.bytes, canonical.digest, sizeof digest.bytes);
    return digest;
}

struct sync_digest sync_digest_parts(const struct sync_bytes *parts, size_t count)
{
    XXH3_state_t state;
    XXH_errorcode code = XXH3_128bits_reset(&state);
    SYNC_ASSERT(code == XXH_OK);
    for (size_t i = 0; i < count; i++) {
        add_field(&state, parts[i]);
    }
    return digest_end(&state);
}

struct sync_digest sync_digest_record(int64_t offset, int64_t timestamp_ms, struct sync_bytes key,
                                      struct sync_bytes value)
{
    XXH3_state_t state;
    uint8_t head[16];
    put_big_endian(head, (uint64_t)offset, 8);
    put_big_endian(head + 8, (uint64_t)timestamp_ms, 8);
    XXH_errorcode code = XXH3_128bits_reset(&state);
    SYNC_ASSERT(code == XXH_OK);
    code = XXH3_128bits_update(&state, head, sizeof head);
    SYNC_ASSERT(code == XXH_OK);
    add_field(&state, key);
    add_field(&state, value);
    return digest_end(&state);
}

void sync_digest_sha256(struct sync_bytes bytes, uint8_t ret_sum[32])
{
    unsigned size = 0;
    int done = EVP_Digest(bytes.size == 0 ? (const void *)"" : bytes.data, bytes.size, ret_sum,
                          &size, EVP_sha256(), NULL);
    SYNC_ASSERT(done == 1 && size == 32);
}

/* Little-endian, as the Java client reads it. */
static uint32_t word_at(const uint8_t *at)
{
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/* MurmurHash2 with the seed of Kafka's Java client. */
static uint32_t murmur2(const uint8_t *data, size_t size)
{
    const uint32_t multiplier = 0x5bd1e995;
    uint32_t hash = 0x9747b28cU ^ (uint32_t)size;
    size_t at = 0;
    for (; size - at >= 4; at += 4) {
        uint32_t word = word_at(data + at) * multiplier;
        word ^= word >> 24;
        hash = hash * multiplier ^ word * multiplier;
    }
    for (size_t rest = size - at; rest > 0; rest--) {
        hash ^= (uint32_t)data[at + rest - 1] << (8 * (rest - 1));
        hash = rest == 1 ? hash * multiplier : hash;
    }
    hash ^= hash >> 13;
    hash *= multiplier;
    return hash ^ hash >> 15;
}

int32_t sync_digest_partition(struct sync_bytes key, int32_t partitions)
{
    SYNC_ASSERT(partitions > 0 && key.size <= INT32_MAX);
    return (int32_t)((murmur2(key.data, key.size) & 0x7FFFFFFF) % (uint32_t)partitions);
}
