/*
 * Shows each rule of correspondence status and the worked examples 1 … 8 and 10 of the domain
 * reference, by giving single changes to intake and fold as the runtime does, and reading outcome,
 * rule, state and effects.
 */
#include <altinn_sync/correspondence_status.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define SECOND               1000000LL
#define MINUTE               (60 * SECOND)
#define HOUR                 (60 * MINUTE)
#define DAY                  (24 * HOUR)
#define MIDNIGHT             (1741046400 * SECOND) /* 2025-03-04 */
#define AT(hour, minute, ms) (MIDNIGHT + (hour)*HOUR + (minute)*MINUTE + (ms)*1000LL)
#define FACTS_MAX            64
#define ID                   7001

static const struct sync_processor *const processor = &sync_processor_correspondence_status;
static const struct sync_uuid A3_ID = {{0x7c, 0x9e, 0x66, 0x79, 1}};
static const struct sync_uuid OTHER_A3_ID = {{0x7c, 0x9e, 0x66, 0x79, 2}};
static const struct sync_uuid P = {{1}};
static const struct sync_uuid Q = {{2}};
static const struct sync_uuid S = {{3}};
static const struct sync_uuid NOBODY;

#define TO_ALTINN3 (&processor->routes[0])
#define TO_ALTINN2 (&processor->routes[1])

struct fixture {
    struct status_state state;
    struct status_fact facts[FACTS_MAX];
    struct sync_fold fold;
    struct sync_effects effects;
    int64_t decided_us; /* 0: not released */
    char names[1024];   /* what effects_text gives */
};

/* A message that is mapped and visible, without facts. */
static void start(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    f->state = (struct status_state){
        .altinn2_id = ID,
        .mapping = STATUS_MAPPED,
        .has_altinn3_id = true,
        .altinn3_id = A3_ID,
        .gate = STATUS_VISIBLE,
        .visible_at_us = STATUS_NEVER,
        .max_soft_deleted = STATUS_NEVER,
        .max_restored = STATUS_NEVER,
        .max_archived = STATUS_NEVER,
        .dlg_label = STATUS_LABEL_DEFAULT,
        .confirmation_needed = true,
        .a3_present = true,
        .init_us = MIDNIGHT - 100 * DAY,
        .facts = f->facts,
        .fact_capacity = FACTS_MAX,
    };
}

static void start_gate(struct fixture *f, enum status_gate gate)
{
    start(f);
    f->state.gate = gate;
}

static void start_mapping(struct fixture *f, enum status_mapping mapping)
{
    start_gate(f, STATUS_HIDDEN);
    f->state.mapping = mapping;
    f->state.has_altinn3_id = false;
    f->state.dlg_label = STATUS_LABEL_UNKNOWN;
}

static struct status_change change_of(enum sync_system system, int32_t kind, struct sync_uuid party,
                                      int64_t at_us)
{
    return (struct status_change){
        .source = {system == SYNC_SYSTEM_ALTINN2 ? 0 : 1, sync_bytes_text("test.1"), 1},
        .has_altinn2_id = true,
        .altinn2_id = ID,
        .has_altinn3_id = system == SYNC_SYSTEM_ALTINN3,
        .altinn3_id = A3_ID,
        .mode = STATUS_LIVE,
        .captured_at_us = at_us,
        .kind = kind,
        .occurred_at_us = at_us,
        .party = party,
    };
}

/* Intake, then fold, as the runtime does for a record with this append time. */
static const char *take_at(struct fixture *f, struct status_change change, int64_t appended_us)
{
    bool altinn2 = change.source.system == 0;
    const struct sync_route *route = altinn2 ? TO_ALTINN3 : TO_ALTINN2;
    char text[16];
    (void)snprintf(text, sizeof text, "%d", (int)change.altinn2_id);
    struct sync_context ctx = {.appended_us = appended_us,
                               .decided_us = f->decided_us != 0 ? f->decided_us : appended_us,
                               .topic_system = route->inputs[0].from,
                               .key = sync_bytes_text(text),
                               .released = f->decided_us != 0};
    f->effects.count = 0;
    f->fold = (struct sync_fold){.rule = NULL};
    if (!processor->intake(route, &change, &ctx, &f->fold)) {
        struct sync_error err = {.text = ""};
        assert_true(sync_is_ok(
            processor->fold(route, &f->state, &change, &ctx, &f->fold, &f->effects, &err)));
    }
    assert_non_null(f->fold.rule);
    return f->fold.rule;
}

static const char *take(struct fixture *f, struct status_change change)
{
    return take_at(f, change, change.occurred_at_us + SECOND);
}

static const char *from_altinn2(struct fixture *f, int32_t kind, struct sync_uuid party,
                                int64_t at_us)
{
    return take(f, change_of(SYNC_SYSTEM_ALTINN2, kind, party, at_us));
}

static const char *from_altinn3(struct fixture *f, int32_t kind, struct sync_uuid party,
                                int64_t at_us)
{
    return take(f, change_of(SYNC_SYSTEM_ALTINN3, kind, party, at_us));
}

static const char *history(struct fixture *f, int32_t kind, struct sync_uuid party, int64_t at_us)
{
    struct status_change change = change_of(SYNC_SYSTEM_ALTINN2, kind, party, at_us);
    change.mode = STATUS_HISTORY;
    return take(f, change);
}

/* Names of the effects in order, without party and second; "-" before a closed one, "skip" for
 * withdraw. */
static const char *effects_text(struct fixture *f)
{
    f->names[0] = '\0';
    for (size_t i = 0; i < f->effects.count; i++) {
        const struct sync_effect *effect = &f->effects.items[i];
        const char *name = effect->withdraw ? "skip" : effect->name;
        const char *slash = strchr(name, '/');
        size_t size =
            slash == NULL ? strlen(name) : (size_t)(slash - name) + 1 + strcspn(slash + 1, "/");
        size_t used = strlen(f->names);
        (void)snprintf(f->names + used, sizeof f->names - used, "%s%s%.*s", used > 0 ? " " : "",
                       effect->closed ? "-" : "", (int)size, name);
    }
    return f->names;
}

static struct status_fact *fact_of(struct fixture *f, int32_t kind, struct sync_uuid party,
                                   int64_t at_us)
{
    struct status_fact *fact = status_fact_find(&f->state, kind, &party, sync_second_of(at_us));
    assert_non_null(fact);
    return fact;
}

static size_t stored_count(const struct fixture *f)
{
    size_t count = 0;
    for (size_t i = 0; i < f->state.fact_count; i++) {
        count += f->facts[i].known ? 1 : 0;
    }
    return count;
}

static size_t row_count(const struct fixture *f)
{
    size_t count = 0;
    for (size_t i = 0; i < f->state.fact_count; i++) {
        count += f->facts[i].write_row ? 1 : 0;
    }
    return count;
}

/* Slot of a key as the look-up would answer it. */
static struct status_fact *look_up(struct fixture *f, int32_t kind, struct sync_uuid party,
                                   int64_t at_us)
{
    struct status_fact *fact = &f->facts[f->state.fact_count++];
    *fact = (struct status_fact){.kind = kind,
                                 .party = party,
                                 .second = sync_second_of(at_us),
                                 .occurred_at_us = at_us,
                                 .echo_until_us = STATUS_NEVER};
    return fact;
}

static void import_row(struct fixture *f, struct status_row row)
{
    struct sync_error err = {.text = ""};
    assert_true(sync_is_ok(status_import(&f->state, &row, AT(20, 0, 0), &f->effects, &err)));
}

static void differ(struct fixture *f)
{
    struct sync_error err = {.text = ""};
    f->effects.count = 0;
    assert_true(sync_is_ok(processor->difference(TO_ALTINN3, &f->state, &f->effects, &err)));
}

static void assert_parked(const struct fixture *f, enum sync_code code, const char *field)
{
    assert_int_equal(f->fold.outcome, SYNC_OUTCOME_PARKED);
    assert_string_equal(sync_code_word(f->fold.code), sync_code_word(code));
    assert_non_null(f->fold.reason);
    if (field == NULL) {
        assert_null(f->fold.field);
    } else {
        assert_string_equal(f->fold.field, field);
    }
    assert_int_equal(stored_count(f), 0);
}

/* Intake. */

static void an_id_that_is_not_positive_is_parked(void **context)
{
    (void)context;
    struct fixture f;
    start(&f);
    struct status_change change = change_of(SYNC_SYSTEM_ALTINN2, STATUS_READ, P, AT(9, 0, 0));
    change.altinn2_id = 0;
    assert_string_equal(take(&f, change), "CS-01");
    assert_parked(&f, SYNC_CODE_FIELD_RANGE, "altinn2_id");
    change.altinn2_id = INT32_MIN;
    assert_string_equal(take(&f, change), "CS-01");
}

static void a_missing_id_of_the_own_side_is_parked(void **context)
{
    (void)context;
    struct fixture f;
    start(&f);
    struct status_change change = change_of(SYNC_SYSTEM_ALTINN2, STATUS_READ, P, AT(9, 0, 0));
    change.has_altinn2_id = false;
    assert_string_equal(take(&f, change), "CS-01");
    assert_parked(&f, SYNC_CODE_FIELD_MISSING, "altinn2_id");
    change = change_of(SYNC_SYSTEM_ALTINN3, STATUS_READ, P, AT(9, 0, 0));
    change.has_altinn3_id = false;
    assert_string_equal(take(&f, change), "CS-01");
    assert_parked(&f, SYNC_CODE_FIELD_MISSING, "altinn3_id");
}

static void a_kafka_key_that_is_not_the_id_is_parked(void **context)
{
    (void)context;
    struct status_change change = change_of(SYNC_SYSTEM_ALTINN2, STATUS_READ, P, AT(9, 0, 0));
    static const char *const keys[] = {"7002", "07001", "7001 ", "", "+7001"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        struct sync_context ctx = {.appended_us = AT(9, 0, 0),
                                   .topic_system = SYNC_SYSTEM_ALTINN2,
                                   .key = sync_bytes_text(keys[i])};
        struct sync_fold fold;
        assert_true(processor->intake(TO_ALTINN3, &change, &ctx, &fold));
        assert_string_equal(fold.rule, "CS-01");
        assert_int_equal(fold.code, SYNC_CODE_KEY_MISMATCH);
    }
}

static void a_source_that_is_not_the_topics_is_parked(void **context)
{
    (void)context;
    struct status_change change = change_of(SYNC_SYSTEM_ALTINN3, STATUS_READ, P, AT(9, 0, 0));
    struct sync_context ctx = {.appended_us = AT(9, 0, 0),
                               .topic_system = SYNC_SYSTEM_ALTINN2,
                               .key = sync_bytes_text("7001")};
    struct sync_fold fold;
    assert_true(processor->intake(TO_ALTINN3, &change, &ctx, &fold));
    assert_string_equal(fold.rule, "CS-01");
    assert_string_equal(fold.field, "source.system");
    change.source.system = 2;
    ctx.topic_system = SYNC_SYSTEM_ALTINN3;
    assert_true(processor->intake(TO_ALTINN2, &change, &ctx, &fold));
    assert_string_equal(fold.rule, "CS-01");
}

static void a_stream_that_is_empty_or_too_long_is_parked(void **context)
{
    (void)context;
    struct fixture f;
    start(&f);
    static const char text[] = "0123456789012345678901234567890123456789012345678901234567890123x";
    struct status_change change = change_of(SYNC_SYSTEM_ALTINN2, STATUS_READ, P, AT(9, 0, 0));
    change.source.stream = sync_bytes_text("");
    assert_string_equal(take(&f, change), "CS-01");
    assert_parked(&f, SYNC_CODE_FIELD_RANGE, "source.stream");
    change.source.stream = sync_bytes_text(text);
    assert_string_equal(take(&f, change), "CS-01");
    change.source.stream.size = 64;
    assert_string_equal(take(&f, change), "CS-31");
}

static void a_mode_that_is_neither_is_parked(void **context)
{
    (void)context;
    struct fixture f;
    start(&f);
    struct status_change change = change_of(SYNC_SYSTEM_ALTINN2, STATUS_READ, P, AT(9, 0, 0));
    change.mode = 2;
    assert_string_equal(take(&f, change), "CS-01");
    assert_parked(&f, SYNC_CODE_FIELD_RANGE, "mode");
    change.mode = -1;
    assert_string_equal(take(&f, change), "CS-01");
}

static void an_unknown_kind_is_parked_and_never_guessed(void **context)
{
    (void)context;
    static const int32_t kinds[] = {-1, 15, 99, INT32_MIN, INT32_MAX};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct fixture f;
        start(&f);
        assert_string_equal(from_altinn2(&f, kinds[i], P, AT(9, 0, 0)), "CS-02");
        assert_parked(&f, SYNC_CODE_KIND_UNKNOWN, "kind");
        assert_string_equal(history(&f, kinds[i], P, AT(9, 0, 0)), "CS-02");
        assert_string_equal(from_altinn3(&f, kinds[i], P, AT(9, 0, 0)), "CS-02");
    }
}

static void an_origin_of_the_own_system_or_without_stream_is_parked(void **context)
{
    (void)context;
    struct fixture f;
    start(&f);
    struct status_change change = change_of(SYNC_SYSTEM_ALTINN2, STATUS_READ, P, AT(9, 0, 0));
    change.has_origin = true;
    change.origin = (struct status_source){0, sync_bytes_text("a"), 1};
    assert_string_equal(take(&f, change), "CS-03");
    assert_parked(&f, SYNC_CODE_ORIGIN, "origin");
    change.origin = (struct status_source){1, sync_bytes_text(""), 1};
    assert_string_equal(take(&f, change), "CS-03");
    change.origin = (struct status_source){7, sync_bytes_text("a"), 1};
    assert_string_equal(take(&f, change), "CS-01");
}

static struct status_change echoed(enum sync_system system, int32_t kind, struct sync_uuid party,
                                   int64_t at_us)
{
    struct status_change change = change_of(system, kind, party, at_us);
    change.has_origin = true;
    change.origin =
        (struct status_source){system == SYNC_SYSTEM_ALTINN2 ? 1 : 0, sync_bytes_text("cause"), 5};
    return change;
}

static void an_echo_adds_no_fact_but_says_that_altinn2_holds_the_flag(void **context)
{
    (void)context;
    struct fixture f;
    start(&f);
    assert_string_equal(from_altinn3(&f, STATUS_READ, P, AT(9, 0, 0)), "CS-43");
    assert_int_equal(f.state.a2_read, STATUS_FLAG_QUEUED);
    assert_string_equal(take(&f, echoed(SYNC_SYSTEM_ALTINN2, STATUS_READ, P, AT(9, 0, 700))),
                        "CS-04");
    assert_int_equal(f.fold.outcome, SYNC_OUTCOME_ECHO);
    assert_int_equal(f.state.a2_read, STATUS_FLAG_HELD);
    assert_true(fact_of(&f, STATUS_READ, P, AT(9, 0, 0))->in_a2);
    assert_int_equal(stored_count(&f), 1);
    assert_string_equal(effects_text(&f), "");
}

static void a_shifted_echo_with_origin_adds_no_fact(void **context)
{
    (void)context;
    struct fixture f;
    start(&f);
    (void)from_altinn3(&f, STATUS_CONFIRMED, P, AT(9, 0, 0));
    assert_string_equal(take(&f, echoed(SYNC_SYSTEM_ALTINN2, STATUS_CONFIRMED, Q, AT(9, 0, 1000))),
                        "CS-04");
    assert_int_equal(f.state.a2_confirmed, STATUS_FLAG_HELD);
    assert_false(fact_of(&f, STATUS_CONFIRMED, P, AT(9, 0, 0))->in_a2);
    assert_int_equal(stored_count(&f), 1);
}

static void an_echo_of_a_message_without_mapping_changes_nothing(void **context)
{
    (void)context;
    struct fixture f;
    start_mapping(&f, STATUS_UNKNOWN);
    assert_string_equal(take(&f, echoed(SYNC_SYSTEM_ALTINN2, STATUS_READ, P, AT(9, 0, 0))),
                        "CS-04");
    assert_int_equal(f.state.a2_read, STATUS_FLAG_NO);
    assert_false(f.state.dirty);
}

static void an_echo_on_the_topic_of_altinn3_is_decided_at_intake(void **context)
{
    (void)context;
    struct fixture f;
    start(&f);
    assert_string_equal(
        take(&f, echoed(SYNC_SYSTEM_ALTINN3, STATUS_PURGED_BY_OWNER, P, AT(9, 0, 0))), "CS-04");
    assert_int_equal(f.state.a2_deleted, STATUS_FLAG_NO);
    assert_false(f.state.purged);
}

static void a_row_written_by_the_sync_is_an_echo(void **context)
{
    (void)context;
    struct fixture f;
    start(&f);
    struct status_change change = change_of(SYNC_SYSTEM_ALTINN3, STATUS_READ, P, AT(9, 0, 0));
    change.written_by_sync = true;
    assert_string_equal(take(&f, change), "CS-05");
    assert_int_equal(f.fold.outcome, SYNC_OUTCOME_ECHO);
    assert_int_equal(stored_count(&f), 0);
}

static void a_passive_kind_is_stale_while_it_happens_and_always_from_altinn3(void **context)
{
    (void)context;
    static const int32_t kinds[] = {0, 1, 2, 3, 5, 10, 11, 12};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct fixture f;
        start(&f);
        assert_string_equal(from_altinn2(&f, kinds[i], P, AT(9, 0, 0)), "CS-06");
        assert_int_equal(f.fold.outcome, SYNC_OUTCOME_STALE);
        struct status_change change = change_of(SYNC_SYSTEM_ALTINN3, kinds[i], P, AT(9, 0, 0));
        change.mode = STATUS_HISTORY;
        assert_string_equal(take(&f, change), "CS-06");
        assert_int_equal(stored_count(&f), 0);
        assert_string_equal(history(&f, kinds[i], P, AT(9, 0, 0)), "CS-22");
    }
}

/* Worked example 8. */
static void an_event_five_minutes_ahead_passes_and_one_microsecond_more_is_parked(void **context)
{
    (void)context;
    struct fixture f;
    start(&f);
    struct status_change change = change_of(SYNC_SYSTEM_ALTINN2, STATUS_READ, P, AT(10, 5, 0) + 1);
    assert_string_equal(take_at(&f, change, AT(10, 0, 0)), "CS-07");
    assert_parked(&f, SYNC_CODE_FUTURE_TIME, "occurred_at_us");
    assert_string_equal(take_at(&f, change, AT(10, 0, 0)), "CS-07");
    change.occurred_at_us = AT(10, 5, 0);
    assert_string_equal(take_at(&f, change, AT(10, 0, 0)), "CS-31");
}

static void extreme_times_are_parked(void **context)
{
    (void)context;
    struct fixture f;
    start(&f);
    struct status_change change = change_of(SYNC_SYSTEM_ALTINN2, STATUS_READ, P, INT64_MAX);
    assert_string_equal(take_at(&f, change, AT(10, 0, 0)), "CS-07");
    change.occurred_at_us = INT64_MIN;
    assert_string_equal(take_at(&f, change, AT(10, 0, 0)), "CS-08");
    assert_parked(&f, SYNC_CODE_ANCIENT_TIME, "occurred_at_us");
    change.occurred_at_us = 946684800 * SECOND - 1;
    assert_string_equal(take_at(&f, change, AT(10, 0, 0)), "CS-08");
    change.occurred_at_us++;
    assert_string_equal(take_at(&f, change, AT(10, 0, 0)), "CS-30");
}

static void a_parked_time_whose_key_came_otherwise_is_a_duplicate_when_decided_again(void **context)
{
    (void)context;
    struct fixture f;
    start(&f);
    (void)from_altinn2(&f, STATUS_READ, P, AT(10, 6, 0));
    f.decided_us = AT(12, 0, 0);
    struct status_change change = change_of(SYNC_SYSTEM_ALTINN2, STATUS_READ, P, AT(10, 6, 0));
    assert_string_equal(take_at(&f, change, AT(10, 0, 0)), "CS-20");
    change.party = Q;
    assert_string_equal(take_at(&f, change, AT(10, 0, 0)), "CS-07");
    assert_int_equal(stored_count(&f), 1);
}

/* Mapping and hold. */

static void a_message_of_altinn3_without_counterpart_is_stale(void **context)
{
    (void)context;
    struct fixture f;
    start(&f);
    struct status_change change = change_of(SYNC_SYSTEM_ALTINN3, STATUS_READ, P, AT(9, 0, 0));
    change.has_altinn2_id = false;
    assert_string_equal(take(&f, change), "CS-10");
    assert_int_equal(f.fold.outcome, SYNC_OUTCOME_STALE);
    struct sync_key key;
    struct sync_error err;
    assert_true(sync_is_ok(processor->key(&change, &key, &err)));
    assert_string_equal(key.text, "7c9e6679-0100-0000-0000-000000000000");
}

static void the_key_of_a_change_is_the_id_in_decimal(void **context)
{
    (void)context;
    struct status_change change = change_of(SYNC_SYSTEM_ALTINN2, STATUS_READ, P, AT(9, 0, 0));
    struct sync_key key;
    struct sync_error err;
    assert_true(sync_is_ok(processor->key(&change, &key, &err)));
    assert_string_equal(key.text, "7001");
    assert_int_equal(key.size, 4);
    change.altinn2_id = -5;
    assert_int_equal(processor->key(&change, &key, &err).class, SYNC_CLASS_PARK);
    assert_int_equal(err.code, SYNC_CODE_FIELD_RANGE);
    change.has_altinn2_id = false;
    assert_int_equal(processor->key(&change, &key, &err).class, SYNC_CLASS_PARK);
    assert_int_equal(err.code, SYNC_CODE_FIELD_MISSING);
    assert_string_equal(key.text, "7001");
}

static void ids_that_contradict_the_mapping_are_parked(void **context)
{
    (void)context;
    struct fixture f;
    start(&f);
    struct status_change change = change_of(SYNC_SYSTEM_ALTINN2, STATUS_READ, P, AT(9, 0, 0));
    change.has_altinn3_id = true;
    change.altinn3_id = OTHER_A3_ID;
    assert_string_equal(take(&f, change), "CS-11");
    assert_parked(&f, SYNC_CODE_ID_CONFLICT, "altinn3_id");
    assert_int_equal(f.state.a2_read, STATUS_FLAG_NO);
}

static void an_excluded_message_wants_no_changes(void **context)
{
    (void)context;
    struct fixture f;
    start_mapping(&f, STATUS_EXCLUDED);
    assert_string_equal(from_altinn2(&f, STATUS_PURGED_BY_OWNER, P, AT(9, 0, 0)), "CS-12");
    assert_int_equal(f.fold.outcome, SYNC_OUTCOME_STALE);
    f.decided_us = AT(10, 0, 0);
    assert_string_equal(from_altinn2(&f, STATUS_READ, P, AT(9, 0, 0)), "CS-12");
    assert_false(f.state.purged);
}

static void a_message_that_is_not_mapped_holds_its_changes(void **context)
{
    (void)context;
    struct fixture f;
    start_mapping(&f, STATUS_EXPECTED);
    assert_string_equal(from_altinn2(&f, STATUS_READ, P, AT(9, 0, 0)), "CS-13");
    assert_int_equal(f.fold.outcome, SYNC_OUTCOME_HELD);
    start_mapping(&f, STATUS_UNKNOWN);
    assert_string_equal(from_altinn3(&f, STATUS_READ, P, AT(9, 0, 0)), "CS-14");
    assert_int_equal(f.state.held_count, 1);
    assert_int_equal(stored_count(&f), 0);
    assert_int_equal(f.state.a2_read, STATUS_FLAG_NO);
}

static void the_change_after_ten_thousand_held_ones_is_parked(void **context)
{
    (void)context;
    struct fixture f;
    start_mapping(&f, STATUS_UNKNOWN);
    f.state.held_count = 9999;
    assert_string_equal(from_altinn2(&f, STATUS_READ, P, AT(9, 0, 0)), "CS-14");
    assert_string_equal(from_altinn2(&f, STATUS_READ, Q, AT(9, 0, 0)), "CS-17");
    assert_parked(&f, SYNC_CODE_HELD_TOO_MANY, NULL);
    f.state.mapping = STATUS_EXPECTED;
    assert_string_equal(from_altinn2(&f, STATUS_READ, S, AT(9, 0, 0)), "CS-17");
}

static void an_adopted_message_is_visible_or_hidden_as_altinn3_says(void **context)
{
    (void)context;
    struct fixture f;
    start_mapping(&f, STATUS_EXCLUDED);
    status_adopt(&f.state, &A3_ID, true, AT(9, 0, 0));
    assert_int_equal(f.state.mapping, STATUS_MAPPED);
    assert_int_equal(f.state.gate, STATUS_HIDDEN);
    assert_true(f.state.dirty);
    differ(&f);
    assert_string_equal(effects_text(&f), "");
    start_mapping(&f, STATUS_UNKNOWN);
    status_adopt(&f.state, &A3_ID, false, AT(9, 0, 0));
    assert_int_equal(f.state.gate, STATUS_VISIBLE);
    assert_true(f.state.visible_at_us == STATUS_NEVER);
    differ(&f);
    assert_string_equal(effects_text(&f), "dialog/label");
    differ(&f);
    assert_string_equal(effects_text(&f), "");
}

/* Import. */

static void a_row_that_altinn2_had_first_raises_its_flag_and_calls_nobody(void **context)
{
    (void)context;
    const int64_t init = AT(12, 0, 0);
    const struct status_row rows[] = {
        {STATUS_READ, P, AT(12, 30, 0), true, false},
        {STATUS_READ, P, AT(12, 30, 0), false, true},
        {STATUS_READ, P, AT(11, 49, 59999), false, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture f;
        start(&f);
        f.state.init_us = init;
        import_row(&f, rows[i]);
        const struct status_fact *fact = fact_of(&f, STATUS_READ, P, rows[i].occurred_at_us);
        assert_true(fact->in_a2 && fact->in_a3 && fact->insert && !fact->write_row);
        assert_int_equal(f.state.a2_read, STATUS_FLAG_HELD);
        assert_true(f.state.dlg_opened);
        assert_string_equal(effects_text(&f), "");
    }
}

static void a_row_that_no_capture_publishes_has_its_call_queued(void **context)
{
    (void)context;
    struct fixture f;
    start(&f);
    f.state.init_us = AT(12, 0, 0);
    import_row(&f, (struct status_row){STATUS_CONFIRMED, P, AT(11, 55, 0), false, false});
    assert_string_equal(effects_text(&f), "a2/confirm");
    assert_int_equal(f.state.a2_confirmed, STATUS_FLAG_QUEUED);
    import_row(&f, (struct status_row){STATUS_READ, P, AT(12, 0, 0), false, false});
    assert_string_equal(effects_text(&f), "a2/confirm");
    start(&f);
    f.state.init_us = STATUS_NEVER; /* CS-104 */
    import_row(&f, (struct status_row){STATUS_PURGED_BY_OWNER, P, AT(1, 0, 0), false, false});
    assert_string_equal(effects_text(&f), "skip a2/delete");
}

static void an_import_follows_the_rules_of_a_call(void **context)
{
    (void)context;
    struct fixture f;
    start_gate(&f, STATUS_HIDDEN);
    f.state.init_us = AT(12, 0, 0);
    f.state.bridge_closed = true;
    import_row(&f, (struct status_row){STATUS_READ, NOBODY, AT(11, 55, 0), false, false});
    assert_string_equal(effects_text(&f), "");
    import_row(&f, (struct status_row){STATUS_READ, P, AT(11, 55, 0), false, false});
    import_row(&f, (struct status_row){STATUS_READ, Q, AT(11, 55, 0), false, false});
    assert_string_equal(effects_text(&f), "-a2/read");
    assert_int_equal(f.state.a2_read, STATUS_FLAG_NO);
    import_row(&f, (struct status_row){STATUS_PURGED_BY_OWNER, P, AT(11, 55, 0), false, false});
    import_row(&f, (struct status_row){STATUS_CONFIRMED, P, AT(11, 55, 0), false, false});
    assert_string_equal(effects_text(&f), "-a2/read skip -a2/delete");
    assert_false(f.state.dlg_deleted);
}

static void an_imported_row_of_a_known_key_only_says_that_altinn3_holds_it(void **context)
{
    (void)context;
    struct fixture f;
    start(&f);
    f.state.a3_present = false;
    (void)from_altinn2(&f, STATUS_READ, P, AT(9, 0, 0));
    struct status_fact *fact = fact_of(&f, STATUS_READ, P, AT(9, 0, 0));
    fact->insert = false;
    import_row(&f, (struct status_row){STATUS_READ, P, AT(9, 0, 300), false, false});
    assert_true(fact->in_a3 && fact->update && !fact->insert);
    assert_int_equal(f.state.version, 1);
    assert_int_equal(stored_count(&f), 1);
}

static void an_imported_purge_makes_the_message_purged(void **context)
{
    (void)context;
    struct fixture f;
    start(&f);
    import_row(&f, (struct status_row){STATUS_PURGED_BY_RECIPIENT, P, AT(9, 0, 0), false, false});
    assert_true(f.state.purged && f.state.dlg_deleted);
    assert_string_equal(effects_text(&f), "skip");
    assert_string_equal(from_altinn2(&f, STATUS_PURGED_BY_OWNER, Q, AT(9, 1, 0)), "CS-23");
}

static void a_passive_row_is_not_imported_and_a_full_state_is_our_fault(void **context)
{
    (void)context;
    struct fixture f;
    start(&f);
    import_row(&f, (struct status_row){2, P, AT(9, 0, 0), false, false});
    assert_int_equal(f.state.fact_count, 0);
    f.state.fact_capacity = 0;
    struct status_row row = {STATUS_READ, P, AT(9, 0, 0), false, false};
    struct sync_error err;
    assert_int_equal(status_import(&f.state, &row, 0, &f.effects, &err).class, SYNC_CLASS_FATAL);
    assert_int_equal(err.code, SYNC_CODE_INTERNAL);
    struct status_change change = change_of(SYNC_SYSTEM_ALTINN2, STATUS_READ, P, AT(9, 0, 0));
    struct sync_context ctx = {.appended_us = AT(9, 0, 0), .key = sync_bytes_text("7001")};
    assert_int_equal(
        processor->fold(TO_ALTINN3, &f.state, &change, &ctx, &f.fold, &f.effects, &err).class,
        SYNC_CLASS_FATAL);
}

/* Facts from Altinn 2. */

static void a_known_key_is_a_duplicate_and_says_that_altinn2_holds_it(void **context)
{
    (void)context;
    struct fixture f;
    start(&f);
    struct status_fact *fact = look_up(&f, STATUS_CONFIRMED, P, AT(9, 0, 0));
    fact->known = true;
    fact->in_a3 = true;
    f.state.confirmed = true;
    assert_string_equal(from_altinn2(&f, STATUS_CONFIRMED, P, AT(9, 0, 999)), "CS-20");
    assert_int_equal(f.fold.outcome, SYNC_OUTCOME_DUPLICATE);
    assert_true(fact->in_a2 && fact->update && !fact->insert && !fact->write_row);
    assert_int_equal(f.state.a2_confirmed, STATUS_FLAG_HELD);
    assert_string_equal(effects_text(&f), "");
    fact->update = false;
    f.state.dirty = false;
    (void)from_altinn2(&f, STATUS_CONFIRMED, P, AT(9, 0, 0));
    assert_false(fact->update || f.state.dirty);
}

static void a_row_that_altinn3_has_is_a_duplicate_that_enters_the_set(void **context)
{
    (void)context;
    struct fixture f;
    start(&f);
    look_up(&f, STATUS_READ, P, AT(9, 0, 0))->a3_row = true;
    look_up(&f, STATUS_ARCHIVED, P, AT(9, 1, 0))->a3_row = true;
    assert_string_equal(from_altinn2(&f, STATUS_READ, P, AT(9, 0, 0)), "CS-21");
    assert_int_equal(f.fold.outcome, SYNC_OUTCOME_DUPLICATE);
    const struct status_fact *fact = fact_of(&f, STATUS_READ, P, AT(9, 0, 0));
    assert_true(fact->insert && fact->in_a2 && fact->in_a3 && !fact->write_row);
    assert_true(f.state.dlg_opened);
    assert_string_equal(effects_text(&f), "");
    assert_string_equal(from_altinn2(&f, STATUS_ARCHIVED, P, AT(9, 1, 0)), "CS-21");
    assert_string_equal(effects_text(&f), "dialog/label");
    f.state.gate = STATUS_HIDDEN;
    look_up(&f, STATUS_SOFT_DELETED, P, AT(9, 2, 0))->a3_row = true;
    assert_string_equal(from_altinn2(&f, STATUS_SOFT_DELETED, P, AT(9, 2, 0)), "CS-21");
    assert_string_equal(effects_text(&f), "");
}

static void a_row_that_altinn3_deleted_gives_no_row_and_no_effect(void **context)
{
    (void)context;
    struct fixture f;
    start(&f);
    f.state.a3_present = false;
    assert_string_equal(from_altinn2(&f, STATUS_READ, P, AT(9, 0, 0)), "CS-103");
    assert_int_equal(f.fold.outcome, SYNC_OUTCOME_STALE);
    assert_string_equal(effects_text(&f), "");
    assert_string_equal(from_altinn2(&f, STATUS_PURGED_BY_OWNER, P, AT(9, 0, 0)), "CS-103");
    assert_string_equal(effects_text(&f), "skip");
    assert_int_equal(row_count(&f), 0);
    assert_int_equal(stored_count(&f), 2);
    assert_int_equal(f.state.a2_read, STATUS_FLAG_HELD);
    assert_int_equal(f.state.a2_deleted, STATUS_FLAG_HELD);
}

static void a_passive_kind_in_history_is_stored_and_tells_nobody(void **context)
{
    (void)context;
    struct fixture f;
    start(&f);
    assert_string_equal(history(&f, 2, P, AT(9, 0, 0)), "CS-22");
    assert_int_equal(f.fold.outcome, SYNC_OUTCOME_APPLIED);
    assert_true(fact_of(&f, 2, P, AT(9, 0, 0))->write_row);
    assert_int_equal(status_label_of(&f.state), STATUS_LABEL_DEFAULT);
    assert_string_equal(effects_text(&f), "");
    assert_string_equal(history(&f, 2, P, AT(9, 0, 1)), "CS-20");
}

static void a_second_purge_is_kept_and_does_nothing(void **context)
{
    (void)context;
    struct fixture f;
    start(&f);
    assert_string_equal(from_altinn2(&f, STATUS_PURGED_BY_RECIPIENT, P, AT(9, 0, 0)), "CS-26");
    assert_string_equal(effects_text(&f), "skip dialog/delete event/purged");
    assert_string_equal(from_altinn2(&f, STATUS_PURGED_BY_OWNER, Q, AT(8, 0, 0)), "CS-23");
    assert_int_equal(f.fold.outcome, SYNC_OUTCOME_STALE);
    assert_string_equal(effects_text(&f), "");
    assert_int_equal(stored_count(&f), 2);
    assert_int_equal(row_count(&f), 1);
    assert_false(fact_of(&f, STATUS_PURGED_BY_OWNER, Q, AT(8, 0, 0))->write_purge);
}

static void a_purge_of_a_hidden_message_is_silent(void **context)
{
    (void)context;
    static const enum status_gate gates[] = {STATUS_HIDDEN, STATUS_OPENING};
    for (size_t i = 0; i < 2; i++) {
        struct fixture f;
        start_gate(&f, gates[i]);
        assert_string_equal(from_altinn2(&f, STATUS_PURGED_BY_OWNER, P, AT(9, 0, 0)), "CS-25");
        const struct status_fact *fact = fact_of(&f, STATUS_PURGED_BY_OWNER, P, AT(9, 0, 0));
        assert_true(fact->write_row && fact->write_purge && fact->in_a2 && fact->in_a3);
        assert_string_equal(effects_text(&f), "skip");
        assert_int_equal(status_label_of(&f.state), STATUS_LABEL_NONE);
    }
}

static void an_old_purge_deletes_the_dialog_and_tells_no_sender(void **context)
{
    (void)context;
    struct fixture f;
    start(&f);
    assert_string_equal(history(&f, STATUS_PURGED_BY_OWNER, P, AT(9, 0, 0)), "CS-26");
    assert_string_equal(effects_text(&f), "skip dialog/delete");
}

static void nothing_of_a_purged_message_leaves(void **context)
{
    (void)context;
    static const int32_t kinds[] = {STATUS_READ, STATUS_CONFIRMED, STATUS_ARCHIVED,
                                    STATUS_SOFT_DELETED, STATUS_RESTORED};
    struct fixture f;
    start(&f);
    (void)from_altinn2(&f, STATUS_PURGED_BY_OWNER, P, AT(9, 0, 0));
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        assert_string_equal(from_altinn2(&f, kinds[i], P, AT(10, 0, 0)), "CS-27");
        assert_int_equal(f.fold.outcome, SYNC_OUTCOME_APPLIED);
        assert_true(fact_of(&f, kinds[i], P, AT(10, 0, 0))->write_row);
        assert_string_equal(effects_text(&f), "");
        assert_string_equal(from_altinn3(&f, kinds[i], Q, AT(10, 0, 0)), "CS-27");
        assert_string_equal(effects_text(&f), "");
    }
    assert_int_equal(status_label_of(&f.state), STATUS_LABEL_NONE);
}

static void what_happens_to_a_hidden_message_is_stored_in_silence(void **context)
{
    (void)context;
    struct fixture f;
    start_gate(&f, STATUS_HIDDEN);
    assert_string_equal(from_altinn2(&f, STATUS_READ, P, AT(9, 0, 0)), "CS-28");
    assert_string_equal(effects_text(&f), "");
    assert_string_equal(from_altinn2(&f, STATUS_ARCHIVED, P, AT(9, 0, 0)), "CS-28");
    assert_string_equal(effects_text(&f), "");
    assert_int_equal(row_count(&f), 2);
}

static void history_and_old_acts_tell_the_dialog_but_no_sender(void **context)
{
    (void)context;
    struct fixture f;
    start(&f);
    assert_string_equal(history(&f, STATUS_READ, P, AT(9, 0, 0)), "CS-30");
    assert_string_equal(effects_text(&f), "dialog/opened");
    struct status_change change = change_of(SYNC_SYSTEM_ALTINN2, STATUS_CONFIRMED, P, AT(9, 0, 0));
    assert_string_equal(take_at(&f, change, AT(9, 0, 0) + 7 * DAY + 1), "CS-30");
    assert_string_equal(effects_text(&f), "dialog/confirmed");
    change.party = Q;
    assert_string_equal(take_at(&f, change, AT(9, 0, 0) + 7 * DAY), "CS-34");
    assert_string_equal(history(&f, STATUS_ARCHIVED, P, AT(9, 0, 0)), "CS-30");
    assert_string_equal(effects_text(&f), "dialog/label");
}

static void a_released_act_is_old_by_the_time_of_its_release(void **context)
{
    (void)context;
    struct fixture f;
    start(&f);
    f.decided_us = AT(9, 0, 0) + 8 * DAY;
    assert_string_equal(from_altinn2(&f, STATUS_READ, P, AT(9, 0, 0)), "CS-30");
    assert_true(fact_of(&f, STATUS_READ, P, AT(9, 0, 0))->released);
}

static void only_the_first_read_and_confirmation_tell_the_dialog(void **context)
{
    (void)context;
    struct fixture f;
    start(&f);
    assert_string_equal(from_altinn2(&f, STATUS_CONFIRMED, P, AT(9, 0, 0)), "CS-33");
    assert_string_equal(effects_text(&f), "dialog/confirmed event/confirmed");
    assert_false(f.state.read);
    assert_string_equal(from_altinn2(&f, STATUS_CONFIRMED, Q, AT(8, 0, 0)), "CS-34");
    assert_string_equal(effects_text(&f), "event/confirmed");
    assert_string_equal(from_altinn2(&f, STATUS_READ, P, AT(9, 0, 0)), "CS-31");
    assert_string_equal(effects_text(&f), "dialog/opened event/read");
    assert_string_equal(from_altinn2(&f, STATUS_READ, P, AT(9, 0, 1000)), "CS-32");
    assert_string_equal(effects_text(&f), "event/read");
}

static void a_confirmation_that_nobody_asked_for_leaves_the_dialog(void **context)
{
    (void)context;
    struct fixture f;
    start(&f);
    f.state.confirmation_needed = false;
    assert_string_equal(from_altinn2(&f, STATUS_CONFIRMED, P, AT(9, 0, 0)), "CS-33");
    assert_string_equal(effects_text(&f), "event/confirmed");
}

static void an_act_that_keeps_the_label_writes_it_only_where_it_is_not_known(void **context)
{
    (void)context;
    struct fixture f;
    start(&f);
    assert_string_equal(from_altinn2(&f, STATUS_RESTORED, P, AT(9, 0, 0)), "CS-36");
    assert_string_equal(effects_text(&f), "");
    f.state.dlg_label = STATUS_LABEL_UNKNOWN;
    assert_string_equal(from_altinn2(&f, STATUS_RESTORED, P, AT(9, 0, 1000)), "CS-36");
    assert_string_equal(effects_text(&f), "dialog/label");
    assert_int_equal(f.effects.items[0].single_prefix_size, strlen("dialog/label/"));
    assert_string_equal(f.effects.items[0].name, "dialog/label/2");
}

static void delete_and_restore_in_one_second_are_not_in_trash(void **context)
{
    (void)context;
    struct fixture f;
    start(&f);
    assert_string_equal(from_altinn2(&f, STATUS_SOFT_DELETED, P, AT(9, 0, 900)), "CS-35");
    assert_string_equal(from_altinn2(&f, STATUS_RESTORED, Q, AT(9, 0, 100)), "CS-35");
    assert_int_equal(status_label_of(&f.state), STATUS_LABEL_DEFAULT);
}

static void effects_carry_name_namespace_and_frozen_body(void **context)
{
    (void)context;
    struct fixture f;
    start(&f);
    (void)from_altinn2(&f, STATUS_READ, P, AT(9, 0, 200));
    assert_int_equal(f.effects.count, 2);
    assert_string_equal(f.effects.items[0].target, "dialog");
    assert_memory_equal(&f.effects.items[0].namespace_id, &A3_ID, sizeof A3_ID);
    assert_string_equal(f.effects.items[1].name,
                        "event/read/01000000-0000-0000-0000-000000000000/1741078800");
    assert_string_equal(
        f.effects.items[1].body,
        "{\"version\":1,\"kind\":4,\"party\":\"01000000-0000-0000-0000-000000000000\","
        "\"second\":1741078800,\"occurred_at_us\":1741078800200000}");
    assert_int_equal(f.effects.items[1].body_size, strlen(f.effects.items[1].body));
}

/* Facts born in Altinn 3. */

static void an_act_of_altinn3_calls_altinn2_once(void **context)
{
    (void)context;
    struct fixture f;
    start_gate(&f, STATUS_HIDDEN);
    struct status_change change = change_of(SYNC_SYSTEM_ALTINN3, STATUS_READ, P, AT(9, 0, 0));
    change.has_altinn2_party = true;
    change.altinn2_party_id = 501;
    assert_string_equal(take(&f, change), "CS-43");
    assert_string_equal(effects_text(&f), "a2/read");
    assert_string_equal(
        f.effects.items[0].body,
        "{\"altinn2_id\":7001,\"kind\":4,\"party\":\"01000000-0000-0000-0000-000000000000\","
        "\"second\":1741078800,\"occurred_at_us\":1741078800000000,\"party_id\":501}");
    assert_string_equal(from_altinn3(&f, STATUS_READ, Q, AT(9, 1, 0)), "CS-41");
    assert_string_equal(effects_text(&f), "");
    assert_int_equal(row_count(&f), 0);
    assert_string_equal(take(&f, change), "CS-20");
    assert_string_equal(effects_text(&f), "");
}

static void a_history_record_of_altinn3_still_reaches_altinn2(void **context)
{
    (void)context;
    struct fixture f;
    start(&f);
    struct status_change change =
        change_of(SYNC_SYSTEM_ALTINN3, STATUS_PURGED_BY_RECIPIENT, P, AT(9, 0, 0));
    change.mode = STATUS_HISTORY;
    assert_string_equal(take_at(&f, change, AT(9, 0, 0) + 60 * DAY), "CS-43");
    assert_string_equal(effects_text(&f), "skip a2/delete");
    assert_true(f.state.dlg_deleted);
}

static void a_flag_that_altinn2_reported_needs_no_call(void **context)
{
    (void)context;
    struct fixture f;
    start(&f);
    (void)from_altinn2(&f, STATUS_READ, P, AT(9, 0, 0));
    assert_string_equal(from_altinn3(&f, STATUS_READ, Q, AT(9, 1, 0)), "CS-41");
    assert_string_equal(effects_text(&f), "");
}

static void a_message_that_altinn2_deleted_needs_no_further_call(void **context)
{
    (void)context;
    struct fixture f;
    start(&f);
    f.state.a2_deleted = STATUS_FLAG_HELD;
    assert_string_equal(from_altinn3(&f, STATUS_READ, P, AT(9, 0, 0)), "CS-41");
    f.state.a2_deleted = STATUS_FLAG_QUEUED;
    assert_string_equal(from_altinn3(&f, STATUS_CONFIRMED, P, AT(9, 0, 0)), "CS-41");
    assert_string_equal(effects_text(&f), "");
}

static void acts_without_a_call_stay_in_altinn3(void **context)
{
    (void)context;
    struct fixture f;
    start(&f);
    assert_string_equal(from_altinn3(&f, STATUS_SOFT_DELETED, P, AT(9, 0, 0)), "CS-40");
    assert_string_equal(effects_text(&f), "dialog/label");
    assert_string_equal(from_altinn3(&f, STATUS_ARCHIVED, P, AT(9, 0, 0)), "CS-40");
    assert_string_equal(effects_text(&f), "dialog/label");
    f.state.gate = STATUS_HIDDEN;
    assert_string_equal(from_altinn3(&f, STATUS_RESTORED, P, AT(9, 0, 1000)), "CS-40");
    assert_string_equal(effects_text(&f), "");
}

static void nobodys_read_stays_and_another_partys_carries_the_call(void **context)
{
    (void)context;
    struct fixture f;
    start(&f);
    assert_string_equal(from_altinn3(&f, STATUS_READ, NOBODY, AT(9, 0, 0)), "CS-101");
    assert_int_equal(f.state.a2_read, STATUS_FLAG_NO);
    assert_true(f.state.dlg_opened);
    assert_string_equal(from_altinn3(&f, STATUS_READ, NOBODY, AT(9, 0, 0)), "CS-20");
    assert_string_equal(effects_text(&f), "");
    assert_string_equal(from_altinn3(&f, STATUS_READ, P, AT(9, 0, 0)), "CS-43");
}

static void nobodys_purge_is_called_in_the_name_of_the_recipient(void **context)
{
    (void)context;
    struct fixture f;
    start(&f);
    f.state.has_recipient_party = true;
    f.state.recipient_party_id = 900;
    assert_string_equal(from_altinn3(&f, STATUS_PURGED_BY_OWNER, NOBODY, AT(9, 0, 0)), "CS-43");
    assert_non_null(strstr(f.effects.items[1].body, "\"party_id\":900}"));
    start(&f);
    (void)from_altinn3(&f, STATUS_PURGED_BY_OWNER, P, AT(9, 0, 0));
    assert_non_null(strstr(f.effects.items[1].body, "\"party_id\":null}"));
}

static void a_closed_lane_keeps_the_call_and_lets_the_flag_fall(void **context)
{
    (void)context;
    struct fixture f;
    start(&f);
    f.state.bridge_closed = true;
    assert_string_equal(from_altinn3(&f, STATUS_READ, P, AT(9, 0, 0)), "CS-42");
    assert_string_equal(effects_text(&f), "-a2/read");
    assert_int_equal(f.state.a2_read, STATUS_FLAG_NO);
    f.state.bridge_closed = false;
    assert_string_equal(from_altinn3(&f, STATUS_READ, P, AT(9, 0, 0)), "CS-20");
    assert_string_equal(effects_text(&f), "a2/read");
    assert_int_equal(f.state.a2_read, STATUS_FLAG_QUEUED);
}

static void a_refused_fact_is_not_called_again_by_its_own_duplicate(void **context)
{
    (void)context;
    struct fixture f;
    start(&f);
    (void)from_altinn3(&f, STATUS_READ, P, AT(9, 0, 0));
    fact_of(&f, STATUS_READ, P, AT(9, 0, 0))->refused = true;
    f.state.a2_read = STATUS_FLAG_NO;
    assert_string_equal(from_altinn3(&f, STATUS_READ, P, AT(9, 0, 0)), "CS-20");
    assert_string_equal(effects_text(&f), "");
    assert_string_equal(from_altinn3(&f, STATUS_READ, Q, AT(9, 0, 0)), "CS-43");
    assert_string_equal(effects_text(&f), "a2/read");
}

static void a_second_purge_of_altinn3_queues_the_call_that_was_parked(void **context)
{
    (void)context;
    struct fixture f;
    start(&f);
    (void)from_altinn3(&f, STATUS_PURGED_BY_RECIPIENT, P, AT(9, 0, 0));
    assert_string_equal(from_altinn3(&f, STATUS_PURGED_BY_OWNER, Q, AT(9, 1, 0)), "CS-23");
    assert_string_equal(effects_text(&f), "");
    f.state.a2_deleted = STATUS_FLAG_NO;
    assert_string_equal(from_altinn3(&f, STATUS_PURGED_BY_OWNER, S, AT(9, 2, 0)), "CS-23");
    assert_string_equal(effects_text(&f), "a2/delete");
}

static void a_read_of_a_purged_message_is_not_called_by_its_duplicate(void **context)
{
    (void)context;
    struct fixture f;
    start(&f);
    f.state.init_us = STATUS_NEVER;
    (void)from_altinn3(&f, STATUS_READ, P, AT(9, 0, 0));
    f.state.a2_read = STATUS_FLAG_NO;
    (void)from_altinn2(&f, STATUS_PURGED_BY_OWNER, P, AT(9, 0, 0));
    f.state.a2_deleted = STATUS_FLAG_NO;
    assert_string_equal(from_altinn3(&f, STATUS_READ, P, AT(9, 0, 0)), "CS-20");
    assert_string_equal(effects_text(&f), "");
}

static void altinn3_tells_its_own_dialog_but_not_of_acts_on_the_hidden_copy(void **context)
{
    (void)context;
    struct fixture f;
    start(&f);
    f.state.visible_at_us = AT(9, 0, 0);
    assert_string_equal(from_altinn3(&f, STATUS_READ, P, AT(9, 1, 0)), "CS-43");
    assert_string_equal(effects_text(&f), "a2/read");
    assert_string_equal(from_altinn3(&f, STATUS_CONFIRMED, P, AT(9, 0, 59999)), "CS-43");
    assert_string_equal(effects_text(&f), "dialog/confirmed a2/confirm");
    assert_string_equal(from_altinn3(&f, STATUS_PURGED_BY_OWNER, P, AT(8, 0, 0)), "CS-43");
    assert_string_equal(effects_text(&f), "skip dialog/delete a2/delete");
}

static void a_read_on_the_hidden_copy_of_a_purged_message_tells_nobody(void **context)
{
    (void)context;
    struct fixture f;
    start(&f);
    f.state.visible_at_us = AT(9, 0, 0);
    (void)from_altinn3(&f, STATUS_PURGED_BY_OWNER, P, AT(9, 5, 0));
    assert_string_equal(from_altinn3(&f, STATUS_READ, P, AT(9, 0, 10000)), "CS-27");
    assert_string_equal(effects_text(&f), "");
}

/* Gate. */

static void a_flip_tells_the_dialog_all_that_it_does_not_know(void **context)
{
    (void)context;
    struct fixture f;
    start_gate(&f, STATUS_HIDDEN);
    (void)from_altinn2(&f, STATUS_READ, Q, AT(9, 0, 1000));
    (void)from_altinn2(&f, STATUS_READ, P, AT(9, 0, 0));
    (void)from_altinn2(&f, STATUS_CONFIRMED, P, AT(9, 0, 0));
    (void)from_altinn2(&f, STATUS_ARCHIVED, P, AT(9, 0, 0));
    status_flip(&f.state, AT(10, 0, 0));
    assert_int_equal(f.state.gate, STATUS_VISIBLE);
    differ(&f);
    assert_string_equal(effects_text(&f), "dialog/opened dialog/confirmed dialog/label");
    assert_non_null(
        strstr(f.effects.items[0].body, "\"party\":\"01000000")); /* the earliest READ */
    differ(&f);
    assert_string_equal(effects_text(&f), "");
    assert_string_equal(from_altinn2(&f, STATUS_READ, S, AT(10, 0, 0)), "CS-32");
    assert_string_equal(effects_text(&f), "event/read");
}

static void a_flip_of_a_message_that_opens_tells_its_dialog_again(void **context)
{
    (void)context;
    struct fixture f;
    start_gate(&f, STATUS_HIDDEN);
    (void)from_altinn2(&f, STATUS_READ, P, AT(9, 0, 0));
    f.state.gate = STATUS_OPENING; /* CS-82: what the dialog is built from counts as told */
    f.state.dlg_opened = true;
    f.state.dlg_label = STATUS_LABEL_DEFAULT;
    status_flip(&f.state, AT(10, 0, 0));
    differ(&f);
    assert_string_equal(effects_text(&f), "dialog/opened dialog/label");
}

static void a_flip_of_a_purged_message_only_deletes_the_dialog(void **context)
{
    (void)context;
    struct fixture f;
    start_gate(&f, STATUS_HIDDEN);
    (void)from_altinn2(&f, STATUS_READ, P, AT(9, 0, 0));
    (void)from_altinn2(&f, STATUS_PURGED_BY_OWNER, P, AT(9, 1, 0));
    status_flip(&f.state, AT(10, 0, 0));
    differ(&f);
    assert_string_equal(effects_text(&f), "dialog/delete");
}

/* Bridge. */

static void answers_of_the_bridge_mean_what_the_rules_say(void **context)
{
    (void)context;
    static const struct {
        int code;
        enum status_answer answer;
        const char *rule;
    } rows[] = {
        {200, STATUS_ANSWER_DONE, "CS-50"},   {204, STATUS_ANSWER_DONE, "CS-50"},
        {299, STATUS_ANSWER_DONE, "CS-50"},   {408, STATUS_ANSWER_RETRY, "CS-52"},
        {429, STATUS_ANSWER_RETRY, "CS-52"},  {500, STATUS_ANSWER_RETRY, "CS-52"},
        {502, STATUS_ANSWER_RETRY, "CS-52"},  {503, STATUS_ANSWER_RETRY, "CS-52"},
        {504, STATUS_ANSWER_RETRY, "CS-52"},  {400, STATUS_ANSWER_PARK, "CS-53"},
        {404, STATUS_ANSWER_PARK, "CS-53"},   {409, STATUS_ANSWER_PARK, "CS-53"},
        {422, STATUS_ANSWER_PARK, "CS-53"},   {302, STATUS_ANSWER_PARK, "CS-53"},
        {501, STATUS_ANSWER_PARK, "CS-53"},   {0, STATUS_ANSWER_PARK, "CS-53"},
        {401, STATUS_ANSWER_STOP, "CS-54"},   {403, STATUS_ANSWER_STOP, "CS-54"},
        {410, STATUS_ANSWER_CLOSED, "CS-55"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *rule = NULL;
        assert_int_equal(status_answer_of(false, rows[i].code, &rule), rows[i].answer);
        assert_string_equal(rule, rows[i].rule);
        assert_int_equal(status_answer_of(true, rows[i].code, &rule), STATUS_ANSWER_RETRY);
        assert_string_equal(rule, "CS-52");
    }
}

static void the_earliest_fact_that_may_carries_a_parked_call_on(void **context)
{
    (void)context;
    struct status_fact facts[] = {
        {.kind = STATUS_READ, .party = S, .second = 30, .known = true, .in_a3 = true},
        {.kind = STATUS_READ, .party = Q, .second = 20, .known = true, .in_a3 = true},
        {.kind = STATUS_READ, .party = P, .second = 20, .known = true, .in_a3 = true},
        {.kind = STATUS_READ, .party = NOBODY, .second = 5, .known = true, .in_a3 = true},
        {.kind = STATUS_CONFIRMED, .party = P, .second = 1, .known = true, .in_a3 = true},
        {.kind = STATUS_READ, .party = P, .second = 2, .known = false},
    };
    size_t count = sizeof facts / sizeof facts[0];
    assert_int_equal(status_carry_on(facts, count, STATUS_READ), 2);
    facts[2].refused = true;
    assert_int_equal(status_carry_on(facts, count, STATUS_READ), 1);
    facts[1].in_a2 = true;
    assert_int_equal(status_carry_on(facts, count, STATUS_READ), 0);
    facts[0].refused = true;
    assert_true(status_carry_on(facts, count, STATUS_READ) == SIZE_MAX);
    assert_true(status_carry_on(facts, count, STATUS_PURGED_BY_OWNER) == SIZE_MAX);
    assert_true(status_carry_on(NULL, 0, STATUS_READ) == SIZE_MAX);
}

static void both_purges_are_one_kind_when_a_call_is_carried_on(void **context)
{
    (void)context;
    struct status_fact facts[] = {
        {.kind = STATUS_PURGED_BY_OWNER,
         .party = P,
         .second = 1,
         .known = true,
         .in_a3 = true,
         .refused = true},
        {.kind = STATUS_PURGED_BY_RECIPIENT,
         .party = NOBODY,
         .second = 9,
         .known = true,
         .in_a3 = true},
    };
    assert_int_equal(status_carry_on(facts, 2, STATUS_PURGED_BY_OWNER), 1);
}

static void a_body_that_does_not_fit_is_refused(void **context)
{
    (void)context;
    struct status_call call = {.altinn2_id = ID, .kind = STATUS_READ, .party = P};
    char text[SYNC_EFFECT_BODY_MAX];
    size_t size = status_call_format(&call, text, sizeof text);
    assert_int_equal(size, strlen(text));
    assert_int_equal(status_call_format(&call, text, size), 0);
    assert_int_equal(status_call_format(&call, text, size + 1), size);
    assert_string_equal(status_call_name(STATUS_PURGED_BY_RECIPIENT), "a2/delete");
    assert_null(status_call_name(STATUS_ARCHIVED));
    assert_null(status_call_name(2));
}

static void an_attachment_effect_names_the_attachment(void **context)
{
    (void)context;
    struct fixture f;
    start(&f);
    struct sync_effect effect;
    status_blob_effect(&f.state, &Q, &effect);
    assert_string_equal(effect.name, "blob/purge/02000000-0000-0000-0000-000000000000");
    assert_string_equal(effect.body, "{\"attachment\":\"02000000-0000-0000-0000-000000000000\"}");
    assert_string_equal(effect.target, "blob");
    assert_memory_equal(&effect.namespace_id, &A3_ID, sizeof A3_ID);
}

static void an_origin_stream_that_is_too_long_is_parked(void **context)
{
    (void)context;
    struct fixture f;
    start(&f);
    static const uint8_t text[65] = {'x'};
    struct status_change change = echoed(SYNC_SYSTEM_ALTINN2, STATUS_READ, P, AT(9, 0, 0));
    change.origin.stream = (struct sync_bytes){text, sizeof text};
    assert_string_equal(take(&f, change), "CS-01");
    assert_parked(&f, SYNC_CODE_FIELD_RANGE, "origin.stream");
    change.origin.stream.size = 64;
    assert_string_equal(take(&f, change), "CS-04");
}

static void an_echo_of_what_is_not_in_the_set_still_says_that_altinn2_holds_it(void **context)
{
    (void)context;
    struct fixture f;
    start(&f);
    (void)look_up(&f, STATUS_READ, P, AT(9, 0, 0));
    assert_string_equal(take(&f, echoed(SYNC_SYSTEM_ALTINN2, STATUS_READ, P, AT(9, 0, 0))),
                        "CS-04");
    assert_int_equal(f.state.a2_read, STATUS_FLAG_HELD);
    assert_false(f.facts[0].in_a2);
    assert_int_equal(stored_count(&f), 0);
}

static void an_append_time_at_the_end_of_time_parks_nothing_as_future(void **context)
{
    (void)context;
    struct fixture f;
    start(&f);
    struct status_change change = change_of(SYNC_SYSTEM_ALTINN2, STATUS_READ, P, AT(9, 0, 0));
    assert_string_equal(take_at(&f, change, INT64_MAX), "CS-30");
}

static void a_passive_row_that_altinn3_has_tells_no_dialog(void **context)
{
    (void)context;
    struct fixture f;
    start(&f);
    look_up(&f, 2, P, AT(9, 0, 0))->a3_row = true;
    assert_string_equal(history(&f, 2, P, AT(9, 0, 0)), "CS-21");
    assert_int_equal(stored_count(&f), 1);
    assert_int_equal(f.state.dlg_label, STATUS_LABEL_DEFAULT);
    assert_string_equal(effects_text(&f), "");
}

static void a_read_on_the_hidden_copy_is_told_by_us(void **context)
{
    (void)context;
    struct fixture f;
    start(&f);
    f.state.visible_at_us = AT(9, 0, 0);
    assert_string_equal(from_altinn3(&f, STATUS_READ, P, AT(8, 59, 0)), "CS-43");
    assert_string_equal(effects_text(&f), "dialog/opened a2/read");
    assert_string_equal(from_altinn3(&f, STATUS_READ, Q, AT(8, 59, 0)), "CS-41");
    assert_string_equal(effects_text(&f), "");
}

static void a_party_number_that_is_not_positive_counts_as_not_known(void **context)
{
    (void)context;
    struct fixture f;
    start(&f);
    struct status_change change = change_of(SYNC_SYSTEM_ALTINN3, STATUS_READ, P, AT(9, 0, 0));
    change.has_altinn2_party = true;
    change.altinn2_party_id = -1;
    assert_string_equal(take(&f, change), "CS-43");
    assert_non_null(strstr(f.effects.items[0].body, "\"party_id\":null}"));
}

/* Worked examples. */

static void example_1_two_stores_report_one_act(void **context)
{
    (void)context;
    struct fixture f;
    start(&f);
    assert_string_equal(from_altinn2(&f, STATUS_CONFIRMED, P, AT(8, 14, 3120)), "CS-33");
    assert_string_equal(effects_text(&f), "dialog/confirmed event/confirmed");
    assert_string_equal(from_altinn2(&f, STATUS_CONFIRMED, P, AT(8, 14, 3480)), "CS-20");
    assert_string_equal(effects_text(&f), "");
    assert_int_equal(stored_count(&f), 1);
    assert_true(fact_of(&f, STATUS_CONFIRMED, P, AT(8, 14, 3000))->occurred_at_us ==
                AT(8, 14, 3120));
}

static void example_2_several_reads_and_one_again(void **context)
{
    (void)context;
    struct fixture f;
    start(&f);
    assert_string_equal(from_altinn2(&f, STATUS_READ, P, AT(9, 0, 200)), "CS-31");
    assert_string_equal(effects_text(&f), "dialog/opened event/read");
    assert_string_equal(from_altinn2(&f, STATUS_READ, P, AT(9, 0, 40000)), "CS-32");
    assert_string_equal(from_altinn2(&f, STATUS_READ, Q, AT(9, 2, 10500)), "CS-32");
    assert_string_equal(effects_text(&f), "event/read");
    struct status_change again = change_of(SYNC_SYSTEM_ALTINN2, STATUS_READ, P, AT(9, 0, 200));
    again.source.sequence = 99;
    assert_string_equal(take(&f, again), "CS-20");
    assert_int_equal(stored_count(&f), 3);
}

static void example_3_a_long_trash_story_in_three_orders(void **context)
{
    (void)context;
    static const int32_t kinds[] = {STATUS_SOFT_DELETED, STATUS_RESTORED, STATUS_ARCHIVED,
                                    STATUS_SOFT_DELETED, STATUS_RESTORED};
    static const struct {
        int order[5];
        enum status_label labels[5];
        const char *rules[5];
    } rows[] = {
        {{0, 1, 2, 3, 4},
         {STATUS_LABEL_BIN, STATUS_LABEL_DEFAULT, STATUS_LABEL_ARCHIVE, STATUS_LABEL_BIN,
          STATUS_LABEL_ARCHIVE},
         {"CS-35", "CS-35", "CS-35", "CS-35", "CS-35"}},
        {{3, 2, 0, 1, 4},
         {STATUS_LABEL_BIN, STATUS_LABEL_BIN, STATUS_LABEL_BIN, STATUS_LABEL_BIN,
          STATUS_LABEL_ARCHIVE},
         {"CS-35", "CS-36", "CS-36", "CS-36", "CS-35"}},
        {{4, 3, 2, 1, 0},
         {STATUS_LABEL_DEFAULT, STATUS_LABEL_DEFAULT, STATUS_LABEL_ARCHIVE, STATUS_LABEL_ARCHIVE,
          STATUS_LABEL_ARCHIVE},
         {"CS-36", "CS-36", "CS-35", "CS-36", "CS-36"}},
    };
    for (size_t row = 0; row < 3; row++) {
        struct fixture f;
        start(&f);
        for (size_t i = 0; i < 5; i++) {
            int day = rows[row].order[i];
            struct status_change change =
                change_of(SYNC_SYSTEM_ALTINN2, kinds[day], P, AT(10, 0, 0) + day * DAY);
            assert_string_equal(take_at(&f, change, AT(10, 0, 0) + 5 * DAY), rows[row].rules[i]);
            assert_int_equal(status_label_of(&f.state), rows[row].labels[i]);
        }
        assert_int_equal(f.state.dlg_label, STATUS_LABEL_ARCHIVE);
    }
}

static void example_4_an_early_purge_is_released_by_the_load(void **context)
{
    (void)context;
    struct fixture f;
    start_mapping(&f, STATUS_UNKNOWN);
    assert_string_equal(from_altinn2(&f, STATUS_READ, P, AT(9, 0, 0)), "CS-14");
    f.state.mapping = STATUS_EXPECTED;
    assert_string_equal(from_altinn2(&f, STATUS_PURGED_BY_RECIPIENT, P, AT(9, 1, 0)), "CS-13");
    status_adopt(&f.state, &A3_ID, true, AT(10, 0, 0));
    f.decided_us = AT(10, 0, 0);
    assert_string_equal(from_altinn2(&f, STATUS_READ, P, AT(9, 0, 0)), "CS-28");
    assert_string_equal(effects_text(&f), "");
    assert_string_equal(from_altinn2(&f, STATUS_PURGED_BY_RECIPIENT, P, AT(9, 1, 0)), "CS-25");
    assert_string_equal(effects_text(&f), "skip");
    assert_true(fact_of(&f, STATUS_PURGED_BY_RECIPIENT, P, AT(9, 1, 0))->write_purge);
    differ(&f);
    assert_string_equal(effects_text(&f), "");
}

static void example_5_a_message_is_purged_while_it_opens(void **context)
{
    (void)context;
    struct fixture f;
    start_gate(&f, STATUS_HIDDEN);
    assert_string_equal(from_altinn2(&f, STATUS_CONFIRMED, P, AT(9, 0, 0)), "CS-28");
    f.state.gate = STATUS_OPENING;
    assert_string_equal(from_altinn2(&f, STATUS_PURGED_BY_OWNER, S, AT(9, 1, 0)), "CS-25");
    assert_string_equal(effects_text(&f), "skip");
    f.state.gate = STATUS_WITHDRAWN;
    assert_string_equal(from_altinn2(&f, STATUS_READ, P, AT(9, 2, 0)), "CS-27");
    assert_string_equal(effects_text(&f), "");
}

static void example_6_altinn2_purges_before_the_bridge_takes_the_call(void **context)
{
    (void)context;
    struct fixture f;
    start(&f);
    assert_string_equal(from_altinn3(&f, STATUS_CONFIRMED, P, AT(12, 0, 0)), "CS-43");
    assert_string_equal(from_altinn2(&f, STATUS_PURGED_BY_RECIPIENT, Q, AT(12, 0, 20000)), "CS-26");
    assert_int_equal(f.state.a2_confirmed, STATUS_FLAG_QUEUED);
    assert_int_equal(f.state.a2_deleted,
                     STATUS_FLAG_HELD); /* CS-51 reads this before the next attempt */
    assert_string_equal(from_altinn3(&f, STATUS_READ, P, AT(12, 1, 0)), "CS-27");
    assert_string_equal(effects_text(&f), "");
}

static void example_7_an_echo_without_origin_is_shifted_twice(void **context)
{
    (void)context;
    struct fixture f;
    start(&f);
    assert_string_equal(from_altinn3(&f, STATUS_CONFIRMED, P, AT(11, 59, 59950)), "CS-43");
    look_up(&f, STATUS_CONFIRMED, Q, AT(12, 0, 0))->echo_until_us = AT(12, 0, 0) + DAY;
    look_up(&f, STATUS_CONFIRMED, Q, AT(12, 0, 1000))->echo_until_us = AT(12, 0, 0) + DAY;
    assert_string_equal(from_altinn2(&f, STATUS_CONFIRMED, Q, AT(12, 0, 0)), "CS-29");
    assert_string_equal(effects_text(&f), "");
    assert_string_equal(from_altinn2(&f, STATUS_CONFIRMED, Q, AT(12, 0, 1000)), "CS-29");
    assert_string_equal(effects_text(&f), "");
    assert_string_equal(from_altinn2(&f, STATUS_CONFIRMED, Q, AT(12, 0, 9000)), "CS-34");
    assert_string_equal(effects_text(&f), "event/confirmed");
    assert_int_equal(row_count(&f), 3);
}

static void an_echo_after_its_expectation_is_a_real_act(void **context)
{
    (void)context;
    struct fixture f;
    start(&f);
    struct status_fact *fact = look_up(&f, STATUS_READ, Q, AT(12, 0, 0));
    fact->echo_until_us = AT(12, 0, 0) + DAY;
    struct status_change change = change_of(SYNC_SYSTEM_ALTINN2, STATUS_READ, Q, AT(12, 0, 0));
    assert_string_equal(take_at(&f, change, AT(12, 0, 0) + DAY), "CS-31");
    assert_string_equal(effects_text(&f), "dialog/opened event/read");
    start_gate(&f, STATUS_HIDDEN);
    look_up(&f, STATUS_READ, Q, AT(12, 0, 0))->echo_until_us = AT(12, 0, 0) + DAY;
    assert_string_equal(from_altinn2(&f, STATUS_READ, Q, AT(12, 0, 0)), "CS-28");
}

static void example_10_a_purged_message_is_loaded_again(void **context)
{
    (void)context;
    struct fixture f;
    start(&f);
    (void)from_altinn2(&f, STATUS_READ, P, AT(9, 0, 0));
    (void)from_altinn2(&f, STATUS_PURGED_BY_RECIPIENT, P, AT(9, 1, 0));
    size_t rows = row_count(&f);
    for (int run = 0; run < 2; run++) {
        assert_string_equal(history(&f, STATUS_READ, P, AT(9, 0, 0)), "CS-20");
        assert_string_equal(history(&f, STATUS_READ, Q, AT(9, 0, 0)), run == 0 ? "CS-27" : "CS-20");
        assert_string_equal(effects_text(&f), "");
        assert_string_equal(history(&f, STATUS_PURGED_BY_OWNER, S, AT(9, 0, 0)),
                            run == 0 ? "CS-23" : "CS-20");
        assert_string_equal(effects_text(&f), "");
    }
    assert_int_equal(stored_count(&f), 4);
    assert_int_equal(row_count(&f), rows + 1);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(an_id_that_is_not_positive_is_parked),
    cmocka_unit_test(a_missing_id_of_the_own_side_is_parked),
    cmocka_unit_test(a_kafka_key_that_is_not_the_id_is_parked),
    cmocka_unit_test(a_source_that_is_not_the_topics_is_parked),
    cmocka_unit_test(a_stream_that_is_empty_or_too_long_is_parked),
    cmocka_unit_test(a_mode_that_is_neither_is_parked),
    cmocka_unit_test(an_unknown_kind_is_parked_and_never_guessed),
    cmocka_unit_test(an_origin_of_the_own_system_or_without_stream_is_parked),
    cmocka_unit_test(an_echo_adds_no_fact_but_says_that_altinn2_holds_the_flag),
    cmocka_unit_test(a_shifted_echo_with_origin_adds_no_fact),
    cmocka_unit_test(an_echo_of_a_message_without_mapping_changes_nothing),
    cmocka_unit_test(an_echo_on_the_topic_of_altinn3_is_decided_at_intake),
    cmocka_unit_test(a_row_written_by_the_sync_is_an_echo),
    cmocka_unit_test(a_passive_kind_is_stale_while_it_happens_and_always_from_altinn3),
    cmocka_unit_test(an_event_five_minutes_ahead_passes_and_one_microsecond_more_is_parked),
    cmocka_unit_test(extreme_times_are_parked),
    cmocka_unit_test(a_parked_time_whose_key_came_otherwise_is_a_duplicate_when_decided_again),
    cmocka_unit_test(a_message_of_altinn3_without_counterpart_is_stale),
    cmocka_unit_test(the_key_of_a_change_is_the_id_in_decimal),
    cmocka_unit_test(ids_that_contradict_the_mapping_are_parked),
    cmocka_unit_test(an_excluded_message_wants_no_changes),
    cmocka_unit_test(a_message_that_is_not_mapped_holds_its_changes),
    cmocka_unit_test(the_change_after_ten_thousand_held_ones_is_parked),
    cmocka_unit_test(an_adopted_message_is_visible_or_hidden_as_altinn3_says),
    cmocka_unit_test(a_row_that_altinn2_had_first_raises_its_flag_and_calls_nobody),
    cmocka_unit_test(a_row_that_no_capture_publishes_has_its_call_queued),
    cmocka_unit_test(an_import_follows_the_rules_of_a_call),
    cmocka_unit_test(an_imported_row_of_a_known_key_only_says_that_altinn3_holds_it),
    cmocka_unit_test(an_imported_purge_makes_the_message_purged),
    cmocka_unit_test(a_passive_row_is_not_imported_and_a_full_state_is_our_fault),
    cmocka_unit_test(a_known_key_is_a_duplicate_and_says_that_altinn2_holds_it),
    cmocka_unit_test(a_row_that_altinn3_has_is_a_duplicate_that_enters_the_set),
    cmocka_unit_test(a_row_that_altinn3_deleted_gives_no_row_and_no_effect),
    cmocka_unit_test(a_passive_kind_in_history_is_stored_and_tells_nobody),
    cmocka_unit_test(a_second_purge_is_kept_and_does_nothing),
    cmocka_unit_test(a_purge_of_a_hidden_message_is_silent),
    cmocka_unit_test(an_old_purge_deletes_the_dialog_and_tells_no_sender),
    cmocka_unit_test(nothing_of_a_purged_message_leaves),
    cmocka_unit_test(what_happens_to_a_hidden_message_is_stored_in_silence),
    cmocka_unit_test(history_and_old_acts_tell_the_dialog_but_no_sender),
    cmocka_unit_test(a_released_act_is_old_by_the_time_of_its_release),
    cmocka_unit_test(only_the_first_read_and_confirmation_tell_the_dialog),
    cmocka_unit_test(a_confirmation_that_nobody_asked_for_leaves_the_dialog),
    cmocka_unit_test(an_act_that_keeps_the_label_writes_it_only_where_it_is_not_known),
    cmocka_unit_test(delete_and_restore_in_one_second_are_not_in_trash),
    cmocka_unit_test(effects_carry_name_namespace_and_frozen_body),
    cmocka_unit_test(an_act_of_altinn3_calls_altinn2_once),
    cmocka_unit_test(a_history_record_of_altinn3_still_reaches_altinn2),
    cmocka_unit_test(a_flag_that_altinn2_reported_needs_no_call),
    cmocka_unit_test(a_message_that_altinn2_deleted_needs_no_further_call),
    cmocka_unit_test(acts_without_a_call_stay_in_altinn3),
    cmocka_unit_test(nobodys_read_stays_and_another_partys_carries_the_call),
    cmocka_unit_test(nobodys_purge_is_called_in_the_name_of_the_recipient),
    cmocka_unit_test(a_closed_lane_keeps_the_call_and_lets_the_flag_fall),
    cmocka_unit_test(a_refused_fact_is_not_called_again_by_its_own_duplicate),
    cmocka_unit_test(a_second_purge_of_altinn3_queues_the_call_that_was_parked),
    cmocka_unit_test(a_read_of_a_purged_message_is_not_called_by_its_duplicate),
    cmocka_unit_test(altinn3_tells_its_own_dialog_but_not_of_acts_on_the_hidden_copy),
    cmocka_unit_test(a_read_on_the_hidden_copy_of_a_purged_message_tells_nobody),
    cmocka_unit_test(a_flip_tells_the_dialog_all_that_it_does_not_know),
    cmocka_unit_test(a_flip_of_a_message_that_opens_tells_its_dialog_again),
    cmocka_unit_test(a_flip_of_a_purged_message_only_deletes_the_dialog),
    cmocka_unit_test(answers_of_the_bridge_mean_what_the_rules_say),
    cmocka_unit_test(the_earliest_fact_that_may_carries_a_parked_call_on),
    cmocka_unit_test(both_purges_are_one_kind_when_a_call_is_carried_on),
    cmocka_unit_test(a_body_that_does_not_fit_is_refused),
    cmocka_unit_test(an_attachment_effect_names_the_attachment),
    cmocka_unit_test(an_origin_stream_that_is_too_long_is_parked),
    cmocka_unit_test(an_echo_of_what_is_not_in_the_set_still_says_that_altinn2_holds_it),
    cmocka_unit_test(an_append_time_at_the_end_of_time_parks_nothing_as_future),
    cmocka_unit_test(a_passive_row_that_altinn3_has_tells_no_dialog),
    cmocka_unit_test(a_read_on_the_hidden_copy_is_told_by_us),
    cmocka_unit_test(a_party_number_that_is_not_positive_counts_as_not_known),
    cmocka_unit_test(example_1_two_stores_report_one_act),
    cmocka_unit_test(example_2_several_reads_and_one_again),
    cmocka_unit_test(example_3_a_long_trash_story_in_three_orders),
    cmocka_unit_test(example_4_an_early_purge_is_released_by_the_load),
    cmocka_unit_test(example_5_a_message_is_purged_while_it_opens),
    cmocka_unit_test(example_6_altinn2_purges_before_the_bridge_takes_the_call),
    cmocka_unit_test(example_7_an_echo_without_origin_is_shifted_twice),
    cmocka_unit_test(an_echo_after_its_expectation_is_a_real_act),
    cmocka_unit_test(example_10_a_purged_message_is_loaded_again),
};

int main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL);
}
