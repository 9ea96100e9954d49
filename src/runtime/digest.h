/* Content digests: XXH3-128 of a record for the tail check. Wraps xxHash. */
#ifndef SYNC_RUNTIME_DIGEST_H
#define SYNC_RUNTIME_DIGEST_H
#include <altinn_sync/types.h>

#define SYNC_DIGEST_BYTES 16
struct sync_digest {
    uint8_t bytes[SYNC_DIGEST_BYTES]; /* canonical byte order */
};
/* Over offset (8, big-endian), timestamp ms (8), key length (4, -1 = null), key, value length,
 * value. */
struct sync_digest sync_digest_record(int64_t offset, int64_t timestamp_ms, struct sync_bytes key,
                                      struct sync_bytes value);
/* Over the parts, each with its length in front, so that no two lists of parts look alike. */
struct sync_digest sync_digest_parts(const struct sync_bytes *parts, size_t count);
/* SHA-256 of bytes (migration checksums). */
void sync_digest_sha256(struct sync_bytes bytes, uint8_t ret_sum[32]);
/* (murmur2(key) with the sign bit cleared) mod partitions: the partition of a key; "7001" of 48
 * is 26. */
int32_t sync_digest_partition(struct sync_bytes key, int32_t partitions);
#endif
