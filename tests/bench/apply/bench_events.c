/* The events of the apply benchmark, computed from their number, and the messages they belong to.
 */
#include "bench_apply.h"

#include <inttypes.h>
#include <stdio.h>

#define ACTS  5
#define CHUNK 5000
#define SCOPE "status-to-altinn3"
#define TOPIC "altinn2.correspondence-status.v1"

static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
}

static struct sync_uuid uuid_of(uint64_t seed, uint64_t number)
{
    struct sync_uuid id;
    uint64_t halves[2] = {mix(seed ^ (number * 2)), mix(seed ^ (number * 2 + 1))};
    memcpy(id.bytes, halves, sizeof id.bytes);
    id.bytes[6] = (uint8_t)(0x40 | (id.bytes[6] & 0x0f));
    id.bytes[8] = (uint8_t)(0x80 | (id.bytes[8] & 0x3f));
    return id;
}

struct sync_uuid bench_message_uuid(const struct bench *bench, int32_t altinn2_id)
{
    return uuid_of(bench->seed, (uint64_t)altinn2_id);
}

struct bench_event bench_event_of(const struct bench *bench, int64_t n)
{
    static const struct {
        int32_t kind, actor;
    } acts[ACTS] = {{STATUS_READ, 0},
                    {STATUS_CONFIRMED, 0},
                    {STATUS_READ, 1},
                    {STATUS_ARCHIVED, 0},
                    {STATUS_READ, 2}};
    int64_t at = (int64_t)(((unsigned __int128)(uint64_t)n * bench->stride + bench->seed) %
                           (uint64_t)bench->events);
    int32_t id = (int32_t)(1 + at % bench->messages);
    int64_t act = at / bench->messages;
    struct bench_event event = {.altinn2_id = id,
                                .altinn3_id = bench_message_uuid(bench, id),
                                .kind = acts[act % ACTS].kind,
                                .occurred_us = bench->first_us + (id % 86400) * 1000000LL +
                                               act * 3600000000LL + 123456};
    event.party = uuid_of(~bench->seed, (uint64_t)(id % 500 + 1000 * acts[act % ACTS].actor));
    return event;
}

static uint64_t common_divisor(uint64_t a, uint64_t b)
{
    while (b != 0) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

void bench_events_init(struct bench *bench)
{
    bench->stride = (uint64_t)((double)bench->events * 0.6180339887) | 1;
    while (common_divisor(bench->stride, (uint64_t)bench->events) != 1) {
        bench->stride += 2;
    }
}

void bench_events_print(const struct bench *bench)
{
    for (int64_t n = 0; n < bench->events; n++) {
        struct bench_event event = bench_event_of(bench, n);
        char party[SYNC_UUID_BUFFER];
        sync_uuid_format(&event.party, party);
        (void)printf(
            "{\"source\":{\"system\":\"ALTINN2\",\"stream\":\"bench\",\"sequence\":%" PRId64
            "},\"altinn2_id\":%" PRId32 ",\"mode\":\"LIVE\",\"kind\":%" PRId32
            ",\"occurred_at_us\":%" PRId64 ",\"captured_at_us\":%" PRId64
            ",\"party_uuid\":\"%s\"}\n",
            n, event.altinn2_id, event.kind, event.occurred_us, event.occurred_us, party);
    }
}

static sync_status insert_chunk(struct bench *bench, int32_t first, int32_t count,
                                struct sync_error *err)
{
    static const struct sync_statement messages = {
        "bench_messages",
        "INSERT INTO correspondence.\"Correspondences\" (\"Id\", \"Altinn2CorrespondenceId\", "
        "\"ResourceId\","
        " \"Recipient\", \"RecipientType\", \"Sender\", \"SendersReference\", \"PartyId\", "
        "\"Created\","
        " \"RequestedPublishTime\", \"IsMigrating\", \"IsConfirmationNeeded\", \"PropertyList\")"
        " SELECT n.id, n.altinn2_id, 'ttd-migratedcorrespondence-4242-1',"
        "  'urn:altinn:organization:identifier-no:' || 310000000 + n.altinn2_id % 100000,"
        "  'urn:altinn:organization:identifier-no', "
        "'urn:altinn:organization:identifier-no:991825827',"
        "  'ref-' || n.altinn2_id, 50001 + n.altinn2_id % 500, now(), now(), $3, true, ''"
        " FROM unnest($1::uuid[], $2::int4[]) AS n (id, altinn2_id)"};
    static const struct sync_statement contents = {
        "bench_contents",
        "INSERT INTO correspondence.\"CorrespondenceContents\" SELECT gen_random_uuid(), n.id, "
        "'nb', 'Vedtak', '',"
        " 'Hei' FROM unnest($1::uuid[], $2::int4[]) AS n (id, altinn2_id) WHERE $3 OR true"};
    static const struct sync_statement mapping = {
        "bench_mapping",
        "INSERT INTO sync.correspondence (altinn2_id, mapping, altinn3_id, gate, dlg_label)"
        " SELECT n.altinn2_id, 2, n.id, CASE WHEN $3 THEN 0 ELSE 2 END, 0"
        " FROM unnest($1::uuid[], $2::int4[]) AS n (id, altinn2_id)"};
    sync_arena_reset(&bench->arena, 0);
    struct sync_uuid *uuids = sync_arena_take_array(&bench->arena, (size_t)count, sizeof *uuids);
    int32_t *ids = sync_arena_take_array(&bench->arena, (size_t)count, sizeof *ids);
    SYNC_ASSERT(uuids && ids);
    for (int32_t i = 0; i < count; i++) {
        ids[i] = first + i;
        uuids[i] = bench_message_uuid(bench, first + i);
    }
    struct sync_params params;
    sync_params_init(&params, &bench->arena);
    sync_params_uuid_array(&params, uuids, NULL, (size_t)count);
    sync_params_int4_array(&params, ids, NULL, (size_t)count);
    sync_params_bool(&params, !bench->visible);
    const struct sync_call calls[] = {
        {&messages, &params}, {&contents, &params}, {&mapping, &params}};
    return sync_db_pipeline(bench->db, calls, 3, NULL, err);
}

sync_status bench_setup(struct bench *bench, struct sync_error *err)
{
    for (int32_t first = 1; first <= bench->messages; first += CHUNK) {
        int64_t left = bench->messages - first + 1;
        sync_status status = insert_chunk(bench, first, left < CHUNK ? (int32_t)left : CHUNK, err);
        if (!sync_is_ok(status)) {
            return status;
        }
    }
    return sync_db_script(bench->db,
                          "INSERT INTO sync.partition_owner VALUES ('" SCOPE "', '" TOPIC
                          "', 0, 1, 0, 0, NULL, 'bench', now()); CHECKPOINT",
                          err);
}
