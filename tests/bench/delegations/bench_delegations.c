/*
 * bench-delegations --dsn DSN --parties N --resources N --events N [--batch N]: the ceiling of the
 * benchmark of delegations. The rows that the consumer writes for grants of rights to services, one
 * on each key, are written by arrays over one connection, one transaction a batch, without gate,
 * locks and look-ups. Prints one JSON line. Not here: any decision, databases, ratios (bench.py).
 */
#include "../../../dev/delegations.h"
#include "../../../src/core/arena.h"
#include "../../../src/core/limits.h"
#include "../../../src/runtime/clock.h"
#include "../../../src/runtime/postgres.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#define DAY_US 86400000000LL

struct bench {
    const char *dsn;
    struct delegations_size size;
    int64_t events, batch, first_us;
    struct sync_db *db;
    struct sync_arena arena;
};

/* One grant and everything that its rows need. */
struct grant {
    int64_t number, at_us;
    struct sync_uuid key, from, to, resource, assignment, row;
    char target[64], ref[96], path[160];
};

static const struct sync_uuid rightholder = {{0x42, 0xca, 0xe3, 0x70, 0x2d, 0xc1, 0x4f, 0xdc, 0x9c,
                                              0x67, 0xc2, 0xf4, 0xb0, 0xf0, 0xf8, 0x29}};
static const struct sync_uuid identity = {{0x6d, 0x3f, 0x8a, 0x52, 0x1c, 0x07, 0x5b, 0x7e, 0x9a,
                                           0x41, 0x0e, 0x2f, 0x4c, 0x8b, 0x7d, 0x10}};

static struct sync_uuid row_form(struct sync_uuid id)
{
    id.bytes[6] = (uint8_t)(0x70 | (id.bytes[6] & 0x0f));
    return id;
}

static struct grant grant_of(const struct bench *bench, const struct delegations_key *key,
                             int64_t number)
{
    struct grant grant = {.number = number,
                          .at_us = bench->first_us + number * 1000,
                          .from = population_party(key->from),
                          .to = population_party(key->to),
                          .resource = delegations_row_id("resource", key->resource)};
    char name[160], from[SYNC_UUID_BUFFER], to[SYNC_UUID_BUFFER];
    sync_uuid_format(&grant.from, from);
    sync_uuid_format(&grant.to, to);
    delegations_resource_id(key->resource, grant.target, sizeof grant.target);
    (void)snprintf(grant.ref, sizeof grant.ref, "%d/%d/read",
                   (int)delegations_service(key->resource),
                   (int)delegations_edition(key->resource));
    (void)snprintf(grant.path, sizeof grant.path, "%s/%s/%s", grant.target, from, to);
    (void)snprintf(name, sizeof name, "delegation/single|%s|%s|%s", from, to, grant.target);
    grant.key = sync_id_v5(&identity, sync_bytes_text(name));
    grant.row = row_form(sync_id_v5(&grant.key, sync_bytes_text("row")));
    grant.assignment = row_form(sync_id_v5(&grant.from, sync_bytes_text(to)));
    return grant;
}

#define COLUMN(type, name)                                                                         \
    type *name = sync_arena_take_array(&bench->arena, count, sizeof *name);                        \
    SYNC_ASSERT(name != NULL)

static void seen_params(struct bench *bench, const struct grant *grants, size_t count,
                        struct sync_params *params)
{
    COLUMN(int64_t, seqs);
    COLUMN(int32_t, days);
    for (size_t i = 0; i < count; i++) {
        seqs[i] = grants[i].number;
        days[i] = (int32_t)(bench->first_us / DAY_US);
    }
    sync_params_init(params, &bench->arena);
    sync_params_int8_array(params, seqs, NULL, count);
    sync_params_int4_array(params, days, NULL, count);
}

static void key_params(struct bench *bench, const struct grant *grants, size_t count,
                       struct sync_params *params)
{
    COLUMN(int64_t, numbers);
    COLUMN(struct sync_uuid, keys);
    COLUMN(struct sync_uuid, froms);
    COLUMN(struct sync_uuid, tos);
    COLUMN(struct sync_uuid, rows);
    COLUMN(struct sync_bytes, targets);
    COLUMN(struct sync_bytes, hashes);
    for (size_t i = 0; i < count; i++) {
        numbers[i] = grants[i].number;
        keys[i] = grants[i].key;
        froms[i] = grants[i].from;
        tos[i] = grants[i].to;
        rows[i] = grants[i].row;
        targets[i] = sync_bytes_text(grants[i].target);
        hashes[i] = (struct sync_bytes){grants[i].key.bytes, 16};
    }
    sync_params_init(params, &bench->arena);
    sync_params_int8_array(params, numbers, NULL, count);
    sync_params_uuid_array(params, keys, NULL, count);
    sync_params_uuid_array(params, froms, NULL, count);
    sync_params_uuid_array(params, tos, NULL, count);
    sync_params_text_array(params, targets, count);
    sync_params_bytes_array(params, hashes, count);
    sync_params_uuid_array(params, rows, NULL, count);
}

static void ref_params(struct bench *bench, const struct grant *grants, size_t count,
                       struct sync_params *params)
{
    COLUMN(int64_t, numbers);
    COLUMN(int64_t, times);
    COLUMN(struct sync_bytes, refs);
    for (size_t i = 0; i < count; i++) {
        numbers[i] = grants[i].number;
        times[i] = grants[i].at_us;
        refs[i] = sync_bytes_text(grants[i].ref);
    }
    sync_params_init(params, &bench->arena);
    sync_params_int8_array(params, numbers, NULL, count);
    sync_params_text_array(params, refs, count);
    sync_params_time_array(params, times, NULL, count);
}

/* Parents, documents and rows of Altinn 3 share these columns. */
static void row_params(struct bench *bench, const struct grant *grants, size_t count,
                       struct sync_params *params)
{
    COLUMN(struct sync_uuid, parents);
    COLUMN(struct sync_uuid, froms);
    COLUMN(struct sync_uuid, tos);
    COLUMN(struct sync_uuid, rows);
    COLUMN(struct sync_uuid, resources);
    COLUMN(struct sync_bytes, paths);
    for (size_t i = 0; i < count; i++) {
        parents[i] = grants[i].assignment;
        froms[i] = grants[i].from;
        tos[i] = grants[i].to;
        rows[i] = grants[i].row;
        resources[i] = grants[i].resource;
        paths[i] = sync_bytes_text(grants[i].path);
    }
    sync_params_init(params, &bench->arena);
    sync_params_uuid_array(params, parents, NULL, count);
    sync_params_uuid_array(params, froms, NULL, count);
    sync_params_uuid_array(params, tos, NULL, count);
    sync_params_uuid_array(params, rows, NULL, count);
    sync_params_uuid_array(params, resources, NULL, count);
    sync_params_text_array(params, paths, count);
    sync_params_uuid(params, &rightholder);
    sync_params_uuid(params, &identity);
}

#define STAMPS "audit_changedby, audit_changedbysystem, audit_changeoperation, audit_validfrom"
#define ROWS_FROM                                                                                  \
    " FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::text[])"         \
    " AS n (parent, f, t, row, resource, path) WHERE $7::uuid IS NOT NULL AND $8::uuid IS NOT "    \
    "NULL"

static const struct sync_statement stamp_statement = {
    "bench_stamp", "SELECT set_config('app.changed_by', $1::text, true),"
                   " set_config('app.changed_by_system', $1::text, true),"
                   " set_config('app.change_operation_id', 'bench', true)"};
static const struct sync_statement seen_statement = {
    "bench_seen",
    "INSERT INTO sync.seen (source, stream, snapshot_id, seq, event_day, outcome, rule)"
    " SELECT 2, 'a2.rule.1', '00000000-0000-0000-0000-000000000000', n.seq,"
    " '1970-01-01'::date + n.day, 0, 'DL-20'"
    " FROM unnest($1::int8[], $2::int4[]) AS n (seq, day) ON CONFLICT DO NOTHING"};
static const struct sync_statement key_statement = {
    "bench_keys",
    "INSERT INTO sync.deleg_key (key_id, key_uuid, kind, from_id, to_id, facilitator, variant,"
    " target, instance, version, effective, effective_hash, held_a3, a3_row_id, a3_row_validfrom)"
    " OVERRIDING SYSTEM VALUE SELECT n.number, n.key, 0, n.f, n.t,"
    " '00000000-0000-0000-0000-000000000000', 0, n.target, '', 1, '{read}', n.hash, '{read}',"
    " n.row, now() FROM unnest($1::int8[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[],"
    " $6::bytea[], $7::uuid[]) AS n (number, key, f, t, target, hash, row) ON CONFLICT DO NOTHING"};
static const struct sync_statement ref_statement = {
    "bench_refs",
    "INSERT INTO sync.deleg_ref (key_id, right_id, source, ref, seq, op, op_time, present,"
    " present_seq, a2_right, rule, native_ids, echo_origins) SELECT n.number, 'read', 2, n.ref,"
    " n.number, 0, n.at, true, n.number, 'read', 'DL-20', '{}', '{}' FROM unnest($1::int8[],"
    " $2::text[], $3::timestamptz[]) AS n (number, ref, at) ON CONFLICT DO NOTHING"};
static const struct sync_statement history_statement = {
    "bench_history",
    "INSERT INTO sync.history (key_id, version, seq, event_time, applied_at, source, stream, rule,"
    " before, after) SELECT n.number, 1, n.number, n.at, now(), 2, 'a2.rule.1', 'DL-20', '{}',"
    " '{read}' FROM unnest($1::int8[], $2::text[], $3::timestamptz[]) AS n (number, ref, at)"
    " WHERE n.ref <> ''"};
static const struct sync_statement parent_statement = {
    "bench_parents", "INSERT INTO dbo.assignment (id, fromid, toid, roleid, " STAMPS ")"
                     " SELECT DISTINCT ON (n.parent) n.parent, n.f, n.t, $7::uuid, $8::uuid,"
                     " $8::uuid, 'bench', now()" ROWS_FROM " ON CONFLICT DO NOTHING"};
static const struct sync_statement document_statement = {
    "bench_documents", "INSERT INTO sync.policy_document (path, version, actions, instance)"
                       " SELECT n.path, '1', '{read}', NULL" ROWS_FROM " ON CONFLICT DO NOTHING"};
static const struct sync_statement resource_statement = {
    "bench_resources",
    "INSERT INTO dbo.assignmentresource (id, assignmentid, resourceid, policypath, policyversion,"
    " delegationchangeid, " STAMPS ") SELECT n.row, n.parent, n.resource, n.path, '1', 0, $8::uuid,"
    " $8::uuid, 'bench', now()" ROWS_FROM " ON CONFLICT DO NOTHING"};

static sync_status write_batch(struct bench *bench, const struct grant *grants, size_t count,
                               struct sync_error *err)
{
    const struct sync_txn_limits limits = {0};
    struct sync_params stamp, seen, keys, refs, rows;
    int64_t now_us = 0;
    sync_arena_reset(&bench->arena, 0);
    sync_status status = sync_txn_begin(bench->db, &limits, &now_us, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    sync_params_init(&stamp, &bench->arena);
    sync_params_uuid(&stamp, &identity);
    seen_params(bench, grants, count, &seen);
    key_params(bench, grants, count, &keys);
    ref_params(bench, grants, count, &refs);
    row_params(bench, grants, count, &rows);
    const struct sync_call calls[] = {{&stamp_statement, &stamp},   {&seen_statement, &seen},
                                      {&key_statement, &keys},      {&ref_statement, &refs},
                                      {&history_statement, &refs},  {&parent_statement, &rows},
                                      {&document_statement, &rows}, {&resource_statement, &rows}};
    status = sync_db_pipeline(bench->db, calls, sizeof calls / sizeof calls[0], NULL, err);
    return sync_is_ok(status) ? sync_txn_commit(bench->db, err) : status;
}

/* Writes grants until there are enough; the time of making them does not count. */
static sync_status run(struct bench *bench, int64_t *ret_us, struct sync_error *err)
{
    struct grant *grants = calloc((size_t)bench->batch, sizeof *grants);
    int64_t done = 0, next = 0;
    sync_status status = SYNC_OK;
    SYNC_ASSERT(grants != NULL);
    *ret_us = 0;
    while (sync_is_ok(status) && done < bench->events) {
        size_t count = 0;
        while (count < (size_t)bench->batch && done + (int64_t)count < bench->events) {
            struct delegations_key key = delegations_key_of(&bench->size, next++);
            if (key.kind == DELEGATIONS_SINGLE) {
                grants[count] = grant_of(bench, &key, done + (int64_t)count + 1);
                count++;
            }
        }
        int64_t start_us = sync_clock_monotonic_us();
        status = write_batch(bench, grants, count, err);
        *ret_us += sync_clock_monotonic_us() - start_us;
        done += (int64_t)count;
    }
    free(grants);
    return status;
}

static bool parse(int argc, char **argv, struct bench *bench)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        long long number = strtoll(argv[i + 1], NULL, 10);
        if (strcmp(argv[i], "--dsn") == 0) {
            bench->dsn = argv[i + 1];
        } else if (number <= 0) {
            return false;
        } else if (strcmp(argv[i], "--parties") == 0) {
            bench->size.parties = (int32_t)number;
        } else if (strcmp(argv[i], "--resources") == 0) {
            bench->size.resources = (int32_t)number;
        } else if (strcmp(argv[i], "--events") == 0) {
            bench->events = number;
        } else if (strcmp(argv[i], "--batch") == 0) {
            bench->batch = number;
        } else {
            return false;
        }
    }
    return bench->dsn != NULL && bench->size.parties > 0 && bench->size.resources > 0 &&
           bench->events > 0;
}

int main(int argc, char **argv)
{
    struct bench bench = {.batch = 500};
    struct sync_error err = {0};
    int64_t us = 0;
    if (!parse(argc, argv, &bench)) {
        (void)fputs("bench-delegations: --dsn, --parties, --resources and --events are needed\n",
                    stderr);
        return 2;
    }
    bench.first_us = sync_clock_wall_us() - DAY_US / 24;
    uint8_t *memory = malloc(SYNC_BATCH_ARENA_BYTES);
    SYNC_ASSERT(memory != NULL);
    sync_arena_init(&bench.arena, memory, SYNC_BATCH_ARENA_BYTES);
    struct sync_db_options options = {.dsn = bench.dsn, .application = "bench-delegations"};
    sync_status status = sync_db_new(&options, &bench.db, &err);
    status = sync_is_ok(status) ? sync_db_connect(bench.db, &err) : status;
    status = sync_is_ok(status) ? run(&bench, &us, &err) : status;
    sync_db_free(&bench.db);
    free(memory);
    if (!sync_is_ok(status)) {
        (void)fprintf(stderr, "bench-delegations: %s\n", err.text);
        return 1;
    }
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    (void)printf("{\"mode\":\"ceiling\",\"events\":%" PRId64 ",\"batch\":%" PRId64
                 ",\"seconds\":%.3f,\"events_per_s\":%.0f,\"peak_rss_kib\":%ld}\n",
                 bench.events, bench.batch, (double)us / 1e6,
                 (double)bench.events * 1e6 / (double)us, usage.ru_maxrss);
    return 0;
}
