/* UUIDs of versions 5 and 7. The only user of libuuid. */
#include "id.h"

#include <altinn_sync/status.h>
#include <stdio.h>
#include <uuid/uuid.h>

#define STREAM_BYTES_MAX 256
#define PART_BYTES_MAX   36

/* 002b8d8e-6dce-5ff3-aef6-c1ccad164ddf */
static const struct sync_uuid own_namespace = {{0x00, 0x2b, 0x8d, 0x8e, 0x6d, 0xce, 0x5f, 0xf3,
                                                0xae, 0xf6, 0xc1, 0xcc, 0xad, 0x16, 0x4d, 0xdf}};

struct sync_uuid sync_id_v5(const struct sync_uuid *namespace_id, struct sync_bytes name)
{
    struct sync_uuid id;
    const char *bytes = name.size == 0 ? "" : (const char *)name.data;
    uuid_generate_sha1(id.bytes, namespace_id->bytes, bytes, name.size);
    return id;
}

struct sync_uuid sync_id_own(struct sync_bytes name)
{
    return sync_id_v5(&own_namespace, name);
}

static const char *system_word(enum sync_system system)
{
    switch (system) {
    case SYNC_SYSTEM_ALTINN2:
        return "ALTINN2";
    case SYNC_SYSTEM_ALTINN3:
        return "ALTINN3";
    case SYNC_SYSTEM_NONE:
    case SYNC_SYSTEM_SYS:
        break;
    }
    return "SYS"; /* above both sides */
}

struct sync_uuid sync_id_event_of(enum sync_system system, struct sync_bytes stream,
                                  const char *part, int64_t sequence)
{
    char name[STREAM_BYTES_MAX + PART_BYTES_MAX + 64];
    SYNC_ASSERT(stream.size <= STREAM_BYTES_MAX && strlen(part) <= PART_BYTES_MAX);
    int size = snprintf(name, sizeof name, "%s/%.*s/%s%s%lld", system_word(system),
                        (int)stream.size, stream.size == 0 ? "" : (const char *)stream.data, part,
                        part[0] == '\0' ? "" : "/", (long long)sequence);
    return sync_id_v5(&own_namespace, (struct sync_bytes){(const uint8_t *)name, (size_t)size});
}

struct sync_uuid sync_id_event(enum sync_system system, struct sync_bytes stream, int64_t sequence)
{
    return sync_id_event_of(system, stream, "", sequence);
}

struct sync_uuid sync_id_v7(int64_t time_us, const struct sync_digest *digest)
{
    struct sync_uuid id;
    uint64_t time_ms = time_us < 0 ? 0 : (uint64_t)time_us / 1000;
    memcpy(id.bytes + 6, digest->bytes, sizeof id.bytes - 6);
    for (size_t i = 0; i < 6; i++) {
        id.bytes[i] = (uint8_t)(time_ms >> (8 * (5 - i)));
    }
    id.bytes[6] = (uint8_t)(0x70 | (id.bytes[6] & 0x0F));
    id.bytes[8] = (uint8_t)(0x80 | (id.bytes[8] & 0x3F));
    return id;
}
