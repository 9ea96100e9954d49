/*
 * Shows that the store and the rules agree: random changes of all kinds and sources, in batches of
 * any size with sweeps in between, leave in the database what the rules alone leave in memory, step
 * by step: effective sets, refs, marks and commands (P1 to P4 over the real tables). The seed is
 * printed and taken back from SYNC_SEED. Needs SYNC_TEST_DSN.
 */
#include "../../src/runtime/breaker.h"
#include "delegation_database.h"

#include <inttypes.h>
#include <time.h>

#define EVENTS     24
#define SCHEDULES  4 /* SYNC_SIZE=proof: fifty times as many */
#define LINE_BYTES 1200
#define LINES_MAX  400

static struct delegation_world pure;
static struct delegation_change events[EVENTS];
static uint64_t seed;

static size_t below(size_t most)
{
    return (size_t)(sync_random_next(&seed) % most);
}

static int start(void **state)
{
    (void)state;
    const char *given = getenv("SYNC_SEED");
    seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    printf("seed %" PRIu64 " (SYNC_SEED=%" PRIu64 " repeats it)\n", seed, seed);
    return deleg_start("batches");
}

static int stop(void **state)
{
    (void)state;
    return deleg_stop();
}

/* The two worlds ------------------------------------------------------------------------------- */

/* Facts above both sides that the schedules speak of: the rules need a slot for each. */
static void give_scopes(void)
{
    static const struct delegation_scope slots[] = {
        {.kind = DELEGATION_SCOPE_PARTY, .seq = DELEGATION_NEVER, .cut_us = DELEGATION_NEVER},
        {.kind = DELEGATION_SCOPE_RELATION,
         .er_role = "regnskapsforer",
         .seq = DELEGATION_NEVER,
         .cut_us = DELEGATION_NEVER},
        {.kind = DELEGATION_SCOPE_INSTANCE,
         .instance = WORLD_URN,
         .seq = DELEGATION_NEVER,
         .cut_us = DELEGATION_NEVER}};
    memcpy(pure.scopes, slots, sizeof slots);
    pure.scopes[0].party = world_k;
    pure.scopes[1].party = world_f;
    pure.scopes[1].facilitator = world_g;
    pure.state.scope_count = 3;
}

static void fresh(void)
{
    clear_world();
    world_start(&pure);
    give_scopes();
    insert_relation(&world_f, &world_g);
}

/* The rules alone, one change after the other; every write to Altinn 3 goes through. */
static void take_pure(const struct delegation_change *change)
{
    if (pure.state.seen_count < sizeof pure.seen / sizeof pure.seen[0]) {
        pure.seen[pure.state.seen_count++] =
            (struct delegation_seen){.source = change->source,
                                     .stream = change->stream,
                                     .snapshot_id = change->snapshot_id,
                                     .seq = change->seq,
                                     .known = false};
    }
    (void)world_take_released(&pure, change, false);
    for (size_t i = 0; i < pure.state.key_count; i++) {
        if (pure.keys[i].write_a3) {
            delegation_written(&pure.keys[i], true);
        }
    }
}

/* Lines of what is known ----------------------------------------------------------------------- */

struct lines {
    char text[LINES_MAX][LINE_BYTES];
    size_t count;
};

static void number(char *to, size_t size, int64_t value)
{
    (void)(value == DELEGATION_NEVER ? snprintf(to, size, "-")
                                     : snprintf(to, size, "%" PRId64, value));
}

static const char *head_of(const struct delegation_key *key)
{
    static char text[500];
    (void)snprintf(text, sizeof text, "%d|%s|%s|%d|%s", (int)key->name.kind, key->name.target,
                   key->name.instance, key->name.variant, id_text(&key->name.facilitator));
    return text;
}

static const char *right_of(const struct delegation_key *key, int right)
{
    return right == DELEGATION_EVERY ? "*" : key->rights[right];
}

static char *line_add(struct lines *lines)
{
    assert_true(lines->count < LINES_MAX);
    return lines->text[lines->count++];
}

static void add_ref(const struct delegation_key *key, const struct delegation_ref *ref,
                    struct lines *lines)
{
    char n[7][24], op[8];
    const int64_t values[] = {ref->seq,        ref->op_time,     ref->revoke_time,
                              ref->human_time, ref->present_seq, ref->echo_seq};
    for (size_t i = 0; i < 6; i++) {
        number(n[i], sizeof n[i], values[i]);
    }
    (void)snprintf(op, sizeof op, ref->op == DELEGATION_OP_NONE ? "-" : "%d", (int)ref->op);
    (void)snprintf(line_add(lines), LINE_BYTES, "ref %s|%s|%d|%s|%s|%s|%s|%s|%s|%d|%s|%s|%s",
                   head_of(key), right_of(key, ref->right), ref->source + 2, ref->ref, n[0], op,
                   n[1], n[2], n[3], ref->present ? 1 : 0, n[4], n[5],
                   ref->lender < 0 ? "-" : pure.keys[ref->lender].name.target);
}

static void lines_of_pure(struct lines *lines)
{
    lines->count = 0;
    for (size_t i = 0; i < pure.state.key_count; i++) {
        const struct delegation_key *key = &pure.keys[i];
        (void)snprintf(line_add(lines), LINE_BYTES, "key %s|%s|%s", head_of(key),
                       world_set_text(key, key->effective),
                       key->has_open ? world_set_text(key, key->open_set) : "-");
        for (size_t r = 0; r < key->ref_count; r++) {
            add_ref(key, &key->refs[r], lines);
        }
        for (size_t m = 0; m < key->mark_count; m++) {
            const struct delegation_mark *mark = &key->marks[m];
            char n[3][24];
            number(n[0], sizeof n[0], mark->all_seq);
            number(n[1], sizeof n[1], mark->all_time);
            number(n[2], sizeof n[2], mark->cut_time);
            (void)snprintf(line_add(lines), LINE_BYTES, "mark %s|%s|%d|%s|%s|%s", head_of(key),
                           right_of(key, mark->right), mark->source + 2, n[0], n[1], n[2]);
        }
    }
}

#define HEAD       "k.kind, k.target, k.instance, k.variant, k.facilitator"
#define US(column) "coalesce((extract(epoch FROM " column ") * 1000000)::int8::text, '-')"
static const struct sync_statement lines_statement = {
    "test_lines",
    "SELECT 'key ' || concat_ws('|', " HEAD ", array_to_string(k.effective, ','),"
    "  coalesce(array_to_string(k.open_set, ','), '-')) FROM sync.deleg_key k"
    " UNION ALL SELECT 'ref ' || concat_ws('|', " HEAD ", r.right_id, r.source, r.ref,"
    "  coalesce(r.seq::text, '-'), coalesce(r.op::text, '-'), " US("r.op_time") ", " US(
        "r.revoke_time") ", " US("r.human_time") ", r.present::int,"
                                                 "  coalesce(r.present_seq::text, '-'), "
                                                 "coalesce(r.echo_seq::text, '-'),"
                                                 "  coalesce((SELECT l.target FROM sync.deleg_key "
                                                 "l WHERE l.key_id = r.role_key_id), '-'))"
                                                 "  FROM sync.deleg_key k JOIN sync.deleg_ref r "
                                                 "USING (key_id)"
                                                 " UNION ALL SELECT 'mark ' || concat_ws('|', " HEAD
                                                 ", m.right_id, m.source,"
                                                 "  coalesce(m.all_seq::text, '-'), " US(
                                                     "m.all_time") ", " US("m.cut_time") ")"
                                                                                         "  FROM "
                                                                                         "sync."
                                                                                         "deleg_"
                                                                                         "key k "
                                                                                         "JOIN "
                                                                                         "sync."
                                                                                         "deleg_"
                                                                                         "mark m "
                                                                                         "USING "
                                                                                         "(key_"
                                                                                         "id)"};

static void lines_of_store(struct lines *lines)
{
    SYNC_RESULT result = {0};
    must(sync_db_exec(own.other, &lines_statement, NULL, &result, &own.err));
    lines->count = 0;
    for (int row = 0; row < result.rows; row++) {
        struct sync_bytes text = sync_result_bytes(&result, row, 0);
        (void)snprintf(line_add(lines), LINE_BYTES, "%.*s", (int)text.size,
                       (const char *)text.data);
    }
}

static int compare_lines(const void *left, const void *right)
{
    return strcmp(left, right);
}

static void expect_equal(const char *what)
{
    static struct lines ours, theirs;
    lines_of_pure(&ours);
    lines_of_store(&theirs);
    qsort(ours.text, ours.count, LINE_BYTES, compare_lines);
    qsort(theirs.text, theirs.count, LINE_BYTES, compare_lines);
    size_t most = ours.count > theirs.count ? ours.count : theirs.count;
    for (size_t i = 0; i < most; i++) {
        const char *rule = i < ours.count ? ours.text[i] : "nothing";
        const char *store = i < theirs.count ? theirs.text[i] : "nothing";
        if (strcmp(rule, store) != 0) {
            fail_msg("%s:\n  the rules: %s\n  the store: %s", what, rule, store);
        }
    }
}

/* Random changes ------------------------------------------------------------------------------- */

static const char *pick(const char *const *texts, size_t count)
{
    return texts[below(count)];
}
#define PICK(...)                                                                                  \
    pick((const char *const[]){__VA_ARGS__},                                                       \
         sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

static enum delegation_op random_op(void)
{
    static const enum delegation_op ops[] = {DELEGATION_GRANT,  DELEGATION_GRANT,
                                             DELEGATION_GRANT,  DELEGATION_REVOKE,
                                             DELEGATION_REVOKE, DELEGATION_REVOKE_ALL};
    return ops[below(6)];
}

static struct delegation_change random_rule(int64_t seq, long time_s)
{
    enum delegation_op op = random_op();
    const char *rights = op == DELEGATION_REVOKE_ALL
                             ? NULL
                             : PICK("Read", "Write", "Read,Write", "ArchiveDelete", "Read,Odd");
    struct delegation_change c =
        world_rule(seq, op, rights, op == DELEGATION_GRANT && below(6) == 0 ? NO_TIME : time_s);
    c.capture_time_us = time_s * SECOND;
    if (op == DELEGATION_GRANT && below(8) == 0) {
        world_snapshot(&c, seq - (int64_t)below(3));
    }
    return c;
}

static struct delegation_change random_message(int64_t seq, long time_s)
{
    enum delegation_op op = below(5) < 3 ? DELEGATION_GRANT : DELEGATION_REVOKE;
    const char *rights = op == DELEGATION_GRANT ? PICK("read", "sign", "read,subscribe")
                                                : PICK("read", "sign", NULL, NULL);
    return world_message("a2.message.1", seq, op, rights, PICK("501", "502"), time_s);
}

static struct delegation_change random_role(int64_t seq, long time_s)
{
    enum delegation_op op = below(5) < 3 ? DELEGATION_GRANT : DELEGATION_REVOKE;
    const char *role = PICK("HADM", "A0239", "A0239", "APIADM", "APIADMNUF", "ADMAI", "UTINN");
    bool client = strcmp(role, "A0239") == 0;
    bool firm = client && (op == DELEGATION_GRANT || below(2) == 0);
    struct delegation_change c = world_role(seq, op, role, firm ? &world_g : NULL, time_s);
    c.has_native_id = client;
    c.native_id = (int64_t)below(3);
    return c;
}

static struct delegation_change random_a3(int64_t seq, long time_s)
{
    enum delegation_op op = random_op();
    bool all = op == DELEGATION_REVOKE_ALL;
    switch (below(4)) {
    case 0:
        return world_a3(seq, op, all ? NULL : PICK("read", "sign", "read,sign"), time_s);
    case 1:
        return world_message("a3.change.1", seq, op, all ? NULL : PICK("read", "sign"), NULL,
                             time_s);
    case 2:
        return world_role_a3(seq, DELEGATION_ROLE, op, PICK("HADM", "APIADM", "A0239"), time_s);
    default:
        return world_role_a3(
            seq, DELEGATION_PACKAGE, op,
            PICK("urn:altinn:accesspackage:hovedadministrator", "urn:altinn:accesspackage:felles"),
            time_s);
    }
}

static struct delegation_change random_fact(int64_t seq, long time_s)
{
    char ids[2 * SYNC_UUID_BUFFER];
    bool instance = below(3) == 0, relation = !instance && below(2) == 0;
    struct delegation_change c =
        world_event(instance ? "sys.message.1" : "sys.register.1", seq, DELEGATION_SCOPE,
                    below(4) == 0 ? DELEGATION_LIFT : DELEGATION_REVOKE_ALL, time_s);
    c.from = c.to = (struct delegation_name){.present = false};
    c.has_scope = true;
    c.scope_final = below(3) == 0;
    c.scope_kind = instance   ? DELEGATION_SCOPE_INSTANCE
                   : relation ? DELEGATION_SCOPE_RELATION
                              : DELEGATION_SCOPE_PARTY;
    c.has_er_role = relation;
    c.er_role = sync_bytes_text("regnskapsforer");
    (void)snprintf(ids, sizeof ids, "%s,%s", id_text(&world_f), id_text(&world_g));
    c.scope_ids = world_texts(instance ? WORLD_URN : relation ? ids : id_text(&world_k));
    return c;
}

static struct delegation_change random_change(int64_t seq)
{
    long time_s = 10 + (long)below(60);
    struct delegation_change c;
    size_t choice = below(16);
    if (choice < 4) {
        c = random_rule(seq, time_s);
    } else if (choice < 7) {
        c = random_message(seq, time_s);
    } else if (choice < 10) {
        c = random_role(seq, time_s);
    } else if (choice < 15) {
        c = random_a3(seq, time_s);
    } else {
        c = random_fact(seq, time_s);
    }
    c.by = below(4) == 0 ? DELEGATION_MACHINE : DELEGATION_HUMAN;
    if (c.source != DELEGATION_SYS && !c.has_snapshot_pos && below(7) == 0) {
        world_origin(&c, c.source == DELEGATION_A2 ? DELEGATION_A3 : DELEGATION_A2, seq);
    }
    return today(c);
}

static void make_events(void)
{
    for (size_t i = 0; i < EVENTS; i++) {
        bool again = i > 3 && below(12) == 0;
        events[i] = again ? events[below(i)] : random_change((int64_t)(i + 3));
    }
}

/* Schedules ------------------------------------------------------------------------------------ */

/* Neighbours of one topic, at most so many, are one batch. */
static size_t batch_end(size_t first, size_t most)
{
    size_t end = first + 1;
    while (end < EVENTS && end - first < most &&
           strcmp(topic_of(&events[end]), topic_of(&events[first])) == 0) {
        end++;
    }
    return end;
}

static void run_schedule(size_t most)
{
    for (size_t at = 0; at < EVENTS;) {
        size_t end = batch_end(at, most);
        apply_batch(events + at, end - at);
        at = end;
        if (below(5) == 0) {
            sweep_all();
        }
    }
    sweep_all();
}

static void any_batches_leave_what_the_rules_leave(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    static const size_t sizes[] = {1, 2, 5, EVENTS};
    const char *size = getenv("SYNC_SIZE");
    size_t schedules = SCHEDULES * (size != NULL && strcmp(size, "proof") == 0 ? 50 : 1);
    for (size_t i = 0; i < schedules; i++) {
        char what[80];
        (void)snprintf(what, sizeof what, "schedule %zu, batches of %zu", i, sizes[i % 4]);
        fresh();
        make_events();
        for (size_t k = 0; k < EVENTS; k++) {
            take_pure(&events[k]);
        }
        run_schedule(sizes[i % 4]);
        expect_equal(what);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_batches_leave_what_the_rules_leave),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
