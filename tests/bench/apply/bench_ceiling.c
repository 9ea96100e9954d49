/*
 * The ceiling: the same rows written by arrays over one connection, one transaction a batch,
 * without gate, locks and look-ups. Not here: any decision; it trusts that every event is new.
 */
#include "bench_apply.h"

#include "../../../connectors/altinn3/correspondence_store.h"
#include "../../../src/runtime/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct columns {
    int32_t *id, *status;
    int16_t *kind, *mode, *system;
    struct sync_uuid *party, *row, *message;
    int64_t *second, *occurred_us, *sequence;
    struct sync_bytes *stream, *text;
    bool *yes, *no;
};

static struct columns take_columns(struct sync_arena *arena, size_t n)
{
    struct columns c = {
        .id = sync_arena_take_array(arena, n, sizeof(int32_t)),
        .status = sync_arena_take_array(arena, n, sizeof(int32_t)),
        .kind = sync_arena_take_array(arena, n, sizeof(int16_t)),
        .mode = sync_arena_take_array(arena, n, sizeof(int16_t)),
        .system = sync_arena_take_array(arena, n, sizeof(int16_t)),
        .party = sync_arena_take_array(arena, n, sizeof(struct sync_uuid)),
        .row = sync_arena_take_array(arena, n, sizeof(struct sync_uuid)),
        .message = sync_arena_take_array(arena, n, sizeof(struct sync_uuid)),
        .second = sync_arena_take_array(arena, n, sizeof(int64_t)),
        .occurred_us = sync_arena_take_array(arena, n, sizeof(int64_t)),
        .sequence = sync_arena_take_array(arena, n, sizeof(int64_t)),
        .stream = sync_arena_take_array(arena, n, sizeof(struct sync_bytes)),
        .text = sync_arena_take_array(arena, n, sizeof(struct sync_bytes)),
        .yes = sync_arena_take_array(arena, n, sizeof(bool)),
        .no = sync_arena_take_array(arena, n, sizeof(bool)),
    };
    SYNC_ASSERT(c.no != NULL);
    return c;
}

static void fact_params(struct sync_params *params, struct sync_arena *arena,
                        const struct bench_event *events, size_t n)
{
    struct columns c = take_columns(arena, n);
    for (size_t i = 0; i < n; i++) {
        c.id[i] = events[i].altinn2_id;
        c.kind[i] = (int16_t)events[i].kind;
        c.party[i] = events[i].party;
        c.second[i] = sync_second_of(events[i].occurred_us);
        c.occurred_us[i] = events[i].occurred_us;
        c.system[i] = SYNC_SYSTEM_ALTINN2;
        c.stream[i] = sync_bytes_text("bench");
        c.sequence[i] = (int64_t)i;
        c.yes[i] = true;
    }
    sync_params_init(params, arena);
    sync_params_int4_array(params, c.id, NULL, n);
    sync_params_int2_array(params, c.kind, NULL, n);
    sync_params_uuid_array(params, c.party, NULL, n);
    sync_params_int8_array(params, c.second, NULL, n);
    sync_params_int8_array(params, c.occurred_us, NULL, n);
    sync_params_int2_array(params, c.mode, NULL, n);
    sync_params_int2_array(params, c.system, NULL, n);
    sync_params_text_array(params, c.stream, n);
    sync_params_int8_array(params, c.sequence, NULL, n);
    sync_params_bool_array(params, c.yes, NULL, n);
    sync_params_bool_array(params, c.yes, NULL, n);
    sync_params_bool_array(params, c.no, NULL, n);
}

/* One row per message of the batch; events are sorted by message. */
static void message_params(struct sync_params *params, struct sync_arena *arena,
                           const struct bench_event *events, size_t n)
{
    struct columns c = take_columns(arena, n);
    bool *flags[3]; /* read, confirmed, archived */
    for (int i = 0; i < 3; i++) {
        flags[i] = sync_arena_take_array(arena, n, sizeof(bool));
        SYNC_ASSERT(flags[i] != NULL);
    }
    size_t used = 0;
    for (size_t i = 0; i < n; i++) {
        if (used == 0 || c.id[used - 1] != events[i].altinn2_id) {
            c.id[used] = events[i].altinn2_id;
            c.message[used++] = events[i].altinn3_id;
        }
        int flag = events[i].kind == STATUS_READ ? 0 : events[i].kind == STATUS_CONFIRMED ? 1 : 2;
        flags[flag][used - 1] = true;
        c.second[used - 1]++;
        c.occurred_us[used - 1] = flag == 2 ? sync_second_of(events[i].occurred_us) : 0;
    }
    sync_params_init(params, arena);
    sync_params_int4_array(params, c.id, NULL, used);
    sync_params_uuid_array(params, c.message, NULL, used);
    for (int i = 0; i < 3; i++) {
        sync_params_bool_array(params, flags[i], NULL, used);
    }
    sync_params_int8_array(params, c.occurred_us, NULL, used);
    sync_params_int8_array(params, c.second, NULL, used);
}

static void status_params(struct sync_params *params, struct sync_arena *arena,
                          const struct bench_event *events, size_t n, int64_t now_us)
{
    struct columns c = take_columns(arena, n);
    for (size_t i = 0; i < n; i++) {
        char party[SYNC_UUID_BUFFER], key[80];
        sync_uuid_format(&events[i].party, party);
        c.second[i] = sync_second_of(events[i].occurred_us);
        (void)snprintf(key, sizeof key, "%" PRId32 "/%s/%" PRId64, events[i].kind, party,
                       c.second[i]);
        c.row[i] = message_row_id(&events[i].altinn3_id, "CorrespondenceStatuses", key);
        c.message[i] = events[i].altinn3_id;
        c.status[i] = events[i].kind;
        c.occurred_us[i] = events[i].occurred_us;
        c.party[i] = events[i].party;
        c.text[i] = sync_bytes_text("Sync event Read from Altinn 2");
    }
    sync_params_init(params, arena);
    sync_params_uuid_array(params, c.row, NULL, n);
    sync_params_uuid_array(params, c.message, NULL, n);
    sync_params_int4_array(params, c.status, NULL, n);
    sync_params_time_array(params, c.occurred_us, NULL, n);
    sync_params_uuid_array(params, c.party, NULL, n);
    sync_params_text_array(params, c.text, n);
    sync_params_time(params, now_us);
}

static int by_message(const void *left, const void *right)
{
    const struct bench_event *a = left, *b = right;
    if (a->altinn2_id != b->altinn2_id) {
        return a->altinn2_id < b->altinn2_id ? -1 : 1;
    }
    return a->kind != b->kind ? a->kind - b->kind : sync_uuid_compare(&a->party, &b->party);
}

static int by_altinn3(const void *left, const void *right)
{
    const struct bench_event *a = left, *b = right;
    int order = sync_uuid_compare(&a->altinn3_id, &b->altinn3_id);
    return order != 0 ? order : a->kind - b->kind;
}

static sync_status write_batch(struct bench *bench, struct bench_event *events, size_t n,
                               struct sync_error *err)
{
    static const struct sync_statement facts = {
        "bench_facts",
        "INSERT INTO sync.correspondence_fact (altinn2_id, kind, party_uuid, second, "
        "occurred_at_us, mode,"
        " source_system, source_stream, source_sequence, in_a2, in_a3, refused)"
        " SELECT n.* FROM unnest($1::int4[], $2::int2[], $3::uuid[], $4::int8[], $5::int8[], "
        "$6::int2[],"
        "  $7::int2[], $8::text[], $9::int8[], $10::bool[], $11::bool[], $12::bool[]) AS n"
        " ON CONFLICT (altinn2_id, kind, party_uuid, second) DO NOTHING"};
    static const struct sync_statement messages = {
        "bench_upsert",
        "INSERT INTO sync.correspondence AS c (altinn2_id, mapping, altinn3_id, has_read, "
        "has_confirmed,"
        " has_archived, max_archived, a2_read, a2_confirmed, version)"
        " SELECT n.id, 2, n.altinn3_id, n.read, n.confirmed, n.archived, nullif(n.max_archived, 0),"
        "  CASE WHEN n.read THEN 2 ELSE 0 END, CASE WHEN n.confirmed THEN 2 ELSE 0 END, n.version"
        " FROM unnest($1::int4[], $2::uuid[], $3::bool[], $4::bool[], $5::bool[], $6::int8[], "
        "$7::int8[])"
        "  AS n (id, altinn3_id, read, confirmed, archived, max_archived, version)"
        " ON CONFLICT (altinn2_id) DO UPDATE SET has_read = c.has_read OR excluded.has_read,"
        " has_confirmed = c.has_confirmed OR excluded.has_confirmed,"
        " has_archived = c.has_archived OR excluded.has_archived,"
        " max_archived = greatest(c.max_archived, excluded.max_archived),"
        " a2_read = greatest(c.a2_read, excluded.a2_read),"
        " a2_confirmed = greatest(c.a2_confirmed, excluded.a2_confirmed),"
        " version = c.version + excluded.version"};
    static const struct sync_statement statuses = {
        "bench_statuses",
        "INSERT INTO correspondence.\"CorrespondenceStatuses\" (\"Id\", \"CorrespondenceId\", "
        "\"Status\","
        " \"StatusText\", \"StatusChanged\", \"PartyUuid\", \"SyncedFromAltinn2\")"
        " SELECT n.id, n.message, n.kind, n.text, n.occurred, n.party, $7"
        " FROM unnest($1::uuid[], $2::uuid[], $3::int4[], $4::timestamptz[], $5::uuid[], "
        "$6::text[])"
        "  AS n (id, message, kind, occurred, party, text)"
        " ON CONFLICT (\"CorrespondenceId\", \"Status\", \"StatusChanged\", \"PartyUuid\") DO "
        "NOTHING"};
    const struct sync_txn_limits limits = {0};
    struct sync_params params[3];
    int64_t now_us = 0;
    sync_status status = sync_txn_begin(bench->db, &limits, &now_us, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    qsort(events, n, sizeof *events, by_message);
    fact_params(&params[0], &bench->arena, events, n);
    message_params(&params[1], &bench->arena, events, n);
    qsort(events, n, sizeof *events, by_altinn3);
    status_params(&params[2], &bench->arena, events, n, now_us);
    const struct sync_call calls[] = {
        {&facts, &params[0]}, {&messages, &params[1]}, {&statuses, &params[2]}};
    status = sync_db_pipeline(bench->db, calls, 3, NULL, err);
    return sync_is_ok(status) ? sync_txn_commit(bench->db, err) : status;
}

sync_status bench_ceiling(struct bench *bench, int64_t *ret_us, struct sync_error *err)
{
    struct bench_event *events = calloc((size_t)bench->batch, sizeof *events);
    SYNC_ASSERT(events != NULL);
    *ret_us = 0;
    sync_status status = SYNC_OK;
    for (int64_t first = 0; sync_is_ok(status) && first < bench->events; first += bench->batch) {
        int64_t left = bench->events - first;
        size_t n = (size_t)(left < bench->batch ? left : bench->batch);
        for (size_t i = 0; i < n; i++) {
            events[i] = bench_event_of(bench, first + (int64_t)i);
        }
        sync_arena_reset(&bench->arena, 0);
        int64_t start_us = sync_clock_monotonic_us();
        status = write_batch(bench, events, n, err);
        *ret_us += sync_clock_monotonic_us() - start_us;
    }
    free(events);
    return status;
}
