/*
 * The battery that every processor passes without work by its author, as far as it can be shown
 * without a database: descriptors, golden rules, and laws of the fold over random changes. The seed
 * is printed and taken back from SYNC_SEED; SYNC_GOLDEN_WRITE=1 writes the golden files anew.
 */
#include "core/limits.h"
#include "runtime/breaker.h"
#include "runtime/config.h"
#include "runtime/route.h"
#include "runtime/schema.h"

#include <altinn_sync/correspondence_status.h>

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#define ROUNDS      20000
#define FACTS_MAX   64
#define CHANGES_MAX 12
#define SECOND      1000000LL
#define BASE        (1741078800 * SECOND)
#define GOLDEN      SYNC_SOURCE_DIR "/tests/contract/golden" /* one file per processor */

static const struct sync_processor *const status = &sync_processor_correspondence_status;
static const struct sync_uuid message_id = {{0x7c, 0x9e}};
static uint64_t seed;

/* Random numbers: a seed gives the same run everywhere. */

static int pick(int count)
{
    return (int)(sync_random_next(&seed) % (uint64_t)count);
}

static bool one_in(int count)
{
    return pick(count) == 0;
}

/* Descriptors of all processors. */

static size_t field_size(enum sync_field_type type)
{
    switch (type) {
    case SYNC_FIELD_BOOL:
    case SYNC_FIELD_PRESENCE:
        return sizeof(bool);
    case SYNC_FIELD_INT:
    case SYNC_FIELD_ENUM:
        return sizeof(int32_t);
    case SYNC_FIELD_LONG:
    case SYNC_FIELD_DOUBLE:
        return sizeof(int64_t);
    case SYNC_FIELD_TEXT:
        return sizeof(struct sync_bytes);
    case SYNC_FIELD_TEXTS:
        return sizeof(struct sync_texts);
    case SYNC_FIELD_UUID:
        return sizeof(struct sync_uuid);
    }
    return SIZE_MAX;
}

static const struct sync_rule *rule_find(const struct sync_processor *processor, const char *id)
{
    for (size_t i = 0; i < processor->rule_count; i++) {
        if (strcmp(processor->rules[i].id, id) == 0) {
            return &processor->rules[i];
        }
    }
    return NULL;
}

static void every_descriptor_is_complete(void **context)
{
    (void)context;
    size_t count = 0;
    for (const struct sync_processor *const *at = sync_processors; *at != NULL; at++) {
        const struct sync_processor *processor = *at;
        assert_true(strlen(processor->name) > 0 && strlen(processor->purpose) > 0);
        assert_true(strlen(processor->schema) > 0 && strlen(processor->store) > 0);
        assert_true(processor->change_size > 0 && processor->state_size > 0);
        assert_non_null(processor->key);
        assert_non_null(processor->intake);
        assert_non_null(processor->fold);
        assert_non_null(processor->difference);
        assert_true(processor->field_count > 0 && processor->route_count > 0);
        assert_int_equal(rule_find(processor, processor->unreadable_rule)->outcome,
                         SYNC_OUTCOME_PARKED);
        count++;
    }
    assert_true(count > 0);
}

static void every_field_lies_inside_its_change_and_has_a_path_of_its_own(void **context)
{
    (void)context;
    for (const struct sync_processor *const *at = sync_processors; *at != NULL; at++) {
        const struct sync_field *fields = (*at)->fields;
        for (size_t i = 0; i < (*at)->field_count; i++) {
            assert_true(fields[i].offset + field_size(fields[i].type) <= (*at)->change_size);
            assert_true(fields[i].present_offset == SYNC_FIELD_REQUIRED ||
                        fields[i].present_offset + sizeof(bool) <= (*at)->change_size);
            assert_int_equal(fields[i].symbols != NULL, fields[i].type == SYNC_FIELD_ENUM);
            for (size_t j = 0; j < i; j++) {
                assert_string_not_equal(fields[i].path, fields[j].path);
                assert_true(fields[i].offset + field_size(fields[i].type) <= fields[j].offset ||
                            fields[j].offset + field_size(fields[j].type) <= fields[i].offset);
            }
        }
    }
}

static void every_rule_has_one_id_and_one_sentence(void **context)
{
    (void)context;
    for (const struct sync_processor *const *at = sync_processors; *at != NULL; at++) {
        const struct sync_rule *rules = (*at)->rules;
        for (size_t i = 0; i < (*at)->rule_count; i++) {
            size_t size = strlen(rules[i].sentence);
            assert_true(size > 20 && rules[i].sentence[size - 1] == '.');
            assert_null(strstr(rules[i].sentence, ". "));
            assert_in_range(rules[i].outcome, 0, SYNC_OUTCOME_COUNT - 1);
            for (size_t j = 0; j < i; j++) {
                assert_string_not_equal(rules[i].id, rules[j].id);
                assert_string_not_equal(rules[i].sentence, rules[j].sentence);
            }
        }
    }
}

static void every_option_and_hold_limit_is_consistent(void **context)
{
    (void)context;
    for (const struct sync_processor *const *at = sync_processors; *at != NULL; at++) {
        for (size_t i = 0; i < (*at)->option_count; i++) {
            const struct sync_option *option = &(*at)->options[i];
            assert_true(option->min <= option->fallback && option->fallback <= option->max);
            assert_true(strlen(option->help) > 0 && strlen(option->unit) > 0);
        }
        for (size_t i = 0; i < (*at)->hold_limit_count; i++) {
            const struct sync_hold_limit *limit = &(*at)->hold_limits[i];
            assert_int_equal(rule_find(*at, limit->held_rule)->outcome, SYNC_OUTCOME_HELD);
            assert_int_equal(rule_find(*at, limit->parked_rule)->outcome, SYNC_OUTCOME_PARKED);
            assert_true(limit->code != SYNC_CODE_NONE && strlen(limit->reason) > 0);
            bool found = false;
            for (size_t j = 0; j < (*at)->option_count; j++) {
                found = found || strcmp((*at)->options[j].name, limit->option) == 0;
            }
            assert_true(found);
        }
    }
}

static char *file_read(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return NULL;
    }
    char *text = calloc(1, 256 * 1024);
    assert_non_null(text);
    size_t size = fread(text, 1, 256 * 1024 - 1, file);
    assert_true(size < 256 * 1024 - 1);
    (void)fclose(file);
    return text;
}

static void assert_input(const char *topics, const struct sync_route *route,
                         const struct sync_input *input)
{
    char line[200];
    assert_true(input->from != route->to && input->from != SYNC_SYSTEM_NONE);
    (void)snprintf(line, sizeof line, "- name: %s\n", input->topic);
    const char *entry = strstr(topics, line);
    assert_non_null(entry);
    const char *consumers = strstr(entry, "consumers:");
    assert_non_null(consumers);
    const char *name = strstr(consumers, route->name);
    assert_true(name != NULL && name < strchr(consumers, '\n'));
}

static void every_route_has_its_topic_and_consumer_in_topics_yaml(void **context)
{
    (void)context;
    char *topics = file_read(SYNC_SOURCE_DIR "/topics.yaml");
    assert_non_null(topics);
    for (const struct sync_processor *const *at = sync_processors; *at != NULL; at++) {
        for (size_t i = 0; i < (*at)->route_count; i++) {
            const struct sync_route *route = &(*at)->routes[i];
            assert_in_range(route->input_count, 1, SYNC_ROUTE_INPUTS_MAX);
            for (size_t j = 0; j < route->input_count; j++) {
                assert_input(topics, route, &route->inputs[j]);
            }
        }
    }
    free(topics);
}

/* An operator sets an option of a processor as consumer.<option>; left alone, both say the same. */
static void every_option_is_one_of_the_configuration(void **context)
{
    (void)context;
    static struct sync_config config;
    struct sync_config_sources sources = {.file_count = 0};
    struct sync_error err = {.text = ""};
    assert_true(sync_is_ok(sync_config_load(&sources, &config, &err)));
    for (const struct sync_processor *const *at = sync_processors; *at != NULL; at++) {
        for (size_t i = 0; i < (*at)->option_count; i++) {
            const struct sync_option *option = &(*at)->options[i];
            int64_t number = -1;
            assert_true(sync_config_number(&config, "consumer", option->name, &number));
            assert_int_equal(number, option->fallback);
        }
    }
    sync_config_done(&config);
}

static void every_field_is_filled_from_the_schema_it_names(void **context)
{
    (void)context;
    struct sync_schema_set *set = NULL;
    struct sync_error err = {.text = ""};
    assert_true(sync_is_ok(sync_schema_set_new(SYNC_SOURCE_DIR "/schemas", &set, &err)));
    for (const struct sync_processor *const *at = sync_processors; *at != NULL; at++) {
        const struct sync_schema *schema = sync_schema_set_find(set, (*at)->schema);
        struct sync_plan *plan = NULL;
        assert_non_null(schema);
        assert_true(sync_is_ok(sync_plan_new(schema, schema, (*at)->fields, (*at)->field_count,
                                             (*at)->change_size, &plan, &err)));
        sync_plan_free(&plan);
    }
    sync_schema_set_free(&set);
}

/* The golden file. */

static const char *outcome_word(enum sync_outcome outcome)
{
    static const char *const words[SYNC_OUTCOME_COUNT] = {"applied", "duplicate", "stale",
                                                          "echo",    "held",      "parked"};
    return words[outcome];
}

static void print_route(FILE *out, const struct sync_route *route)
{
    fprintf(out, "route %s:", route->name);
    for (size_t i = 0; i < route->input_count; i++) {
        fprintf(out, " %s of %s,", route->inputs[i].topic, sync_route_side(route->inputs[i].from));
    }
    fprintf(out, " to %s", sync_route_side(route->to));
    for (size_t i = 0; route->targets != NULL && route->targets[i] != NULL; i++) {
        fprintf(out, ", target %s", route->targets[i]);
    }
    fprintf(out, "%s%s\n", route->yields_to == NULL ? "" : ", yields to ",
            route->yields_to == NULL ? "" : route->yields_to);
}

static void print_processor(FILE *out, const struct sync_processor *processor)
{
    fprintf(out, "processor %s: %s\nschema %s, store %s, home %s\n", processor->name,
            processor->purpose, processor->schema, processor->store, processor->home);
    for (size_t i = 0; i < processor->route_count; i++) {
        print_route(out, &processor->routes[i]);
    }
    for (size_t i = 0; i < processor->option_count; i++) {
        const struct sync_option *option = &processor->options[i];
        fprintf(out, "option %s: %" PRId64 " %s (%" PRId64 " to %" PRId64 "). %s\n", option->name,
                option->fallback, option->unit, option->min, option->max, option->help);
    }
    for (size_t i = 0; i < processor->hold_limit_count; i++) {
        const struct sync_hold_limit *limit = &processor->hold_limits[i];
        fprintf(out, "hold %s for %s, then %s\n", limit->held_rule, limit->option,
                limit->parked_rule);
    }
    for (size_t i = 0; i < processor->rule_count; i++) {
        const struct sync_rule *rule = &processor->rules[i];
        fprintf(out, "%s %s: %s\n", rule->id,
                rule->subject == NULL ? outcome_word(rule->outcome) : rule->subject,
                rule->sentence);
    }
}

static void compare_golden(const struct sync_processor *processor)
{
    char path[256];
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    print_processor(out, processor);
    (void)fclose(out);
    (void)snprintf(path, sizeof path, GOLDEN "/%s.txt", processor->name);
    if (getenv("SYNC_GOLDEN_WRITE") != NULL) {
        FILE *file = fopen(path, "wb");
        assert_non_null(file);
        assert_int_equal(fwrite(text, 1, size, file), size);
        assert_int_equal(fclose(file), 0);
    }
    char *golden = file_read(path);
    if (golden == NULL || strcmp(golden, text) != 0) {
        fail_msg("the rules differ from %s; if that is meant, run this test with "
                 "SYNC_GOLDEN_WRITE=1",
                 path);
    }
    free(golden);
    free(text);
}

static void rules_and_routes_are_those_of_the_golden_files(void **context)
{
    (void)context;
    for (const struct sync_processor *const *at = sync_processors; *at != NULL; at++) {
        compare_golden(*at);
    }
}

/* One message, decided as the runtime decides it. */

struct message {
    struct status_state state;
    struct status_fact facts[FACTS_MAX];
    uint64_t rows; /* slots of which Altinn 3 has a row */
    struct sync_fold fold;
    struct sync_effects effects; /* of the last decision */
};

static void message_start(struct message *m, enum status_mapping mapping, enum status_gate gate)
{
    memset(m, 0, sizeof *m);
    m->state = (struct status_state){.altinn2_id = 7001,
                                     .mapping = mapping,
                                     .has_altinn3_id = mapping == STATUS_MAPPED,
                                     .altinn3_id = message_id,
                                     .gate = gate,
                                     .visible_at_us = STATUS_NEVER,
                                     .max_soft_deleted = STATUS_NEVER,
                                     .max_restored = STATUS_NEVER,
                                     .max_archived = STATUS_NEVER,
                                     .dlg_label = STATUS_LABEL_DEFAULT,
                                     .confirmation_needed = true,
                                     .a3_present = true,
                                     .init_us = BASE - 1000 * SECOND,
                                     .facts = m->facts,
                                     .fact_capacity = FACTS_MAX};
}

static void message_copy(const struct message *m, struct message *ret_copy)
{
    *ret_copy = *m;
    ret_copy->state.facts = ret_copy->facts;
}

static const struct sync_route *route_of(const struct status_change *change)
{
    return &status->routes[change->source.system == 0 ? 0 : 1];
}

static void message_decide(struct message *m, const struct status_change *change,
                           const struct sync_context *ctx)
{
    struct sync_error err = {.text = ""};
    m->fold = (struct sync_fold){.rule = NULL};
    m->effects.count = 0;
    if (!status->intake(route_of(change), change, ctx, &m->fold)) {
        assert_true(sync_is_ok(
            status->fold(route_of(change), &m->state, change, ctx, &m->fold, &m->effects, &err)));
    }
}

static struct sync_context context_of(const struct status_change *change)
{
    bool sane = change->occurred_at_us >= BASE && change->occurred_at_us < BASE + 1000 * SECOND;
    int64_t appended_us = sane ? change->occurred_at_us + SECOND : BASE;
    return (struct sync_context){.appended_us = appended_us,
                                 .decided_us = appended_us,
                                 .topic_system = route_of(change)->inputs[0].from,
                                 .key = sync_bytes_text("7001")};
}

static void message_take(struct message *m, const struct status_change *change)
{
    struct sync_context ctx = context_of(change);
    message_decide(m, change, &ctx);
}

/* What the store does between two batches: rows become known to the look-up, marks are gone. */
static void message_commit(struct message *m)
{
    for (size_t i = 0; i < m->state.fact_count; i++) {
        struct status_fact *fact = &m->facts[i];
        m->rows |= fact->write_row ? (uint64_t)1 << i : 0;
        fact->a3_row = (m->rows >> i & 1) != 0 || fact->a3_row;
        fact->insert = fact->update = fact->write_row = fact->write_purge = fact->released = false;
    }
    m->state.dirty = false;
}

static int fact_compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Facts sorted, derived state and gate as text: what must be equal. */
static char *message_digest(const struct message *m)
{
    static char digests[4][8192];
    static int next;
    char lines[FACTS_MAX][80];
    char *sorted[FACTS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < m->state.fact_count; i++) {
        if (m->facts[i].known) {
            char party[SYNC_UUID_BUFFER];
            sync_uuid_format(&m->facts[i].party, party);
            (void)snprintf(lines[count], sizeof lines[count], "%d %s %" PRId64,
                           (int)m->facts[i].kind, party, m->facts[i].second);
            sorted[count] = lines[count];
            count++;
        }
    }
    qsort(sorted, count, sizeof sorted[0], fact_compare);
    char *digest = digests[next++ % 4];
    int used = snprintf(digest, sizeof digests[0], "label %d flags %d%d%d%d gate %d\n",
                        (int)status_label_of(&m->state), m->state.read, m->state.confirmed,
                        m->state.archived, m->state.purged, (int)m->state.gate);
    for (size_t i = 0; i < count; i++) {
        used += snprintf(digest + used, sizeof digests[0] - (size_t)used, "%s\n", sorted[i]);
    }
    return digest;
}

static int32_t random_kind(void)
{
    static const int32_t kinds[] = {STATUS_READ,
                                    STATUS_CONFIRMED,
                                    STATUS_PURGED_BY_RECIPIENT,
                                    STATUS_PURGED_BY_OWNER,
                                    STATUS_ARCHIVED,
                                    STATUS_SOFT_DELETED,
                                    STATUS_RESTORED};
    return kinds[pick(7)];
}

/* A good change of a few parties and seconds, so that keys meet. */
static struct status_change random_change(void)
{
    bool altinn2 = one_in(2);
    struct status_change change = {
        .source = {altinn2 ? 0 : 1, sync_bytes_text("battery.1"), pick(1000)},
        .has_altinn2_id = true,
        .altinn2_id = 7001,
        .has_altinn3_id = !altinn2,
        .altinn3_id = message_id,
        .mode = one_in(8) ? STATUS_HISTORY : STATUS_LIVE,
        .kind = random_kind(),
        .occurred_at_us = BASE + pick(4) * SECOND + pick(1000000),
        .party = {{(uint8_t)pick(3)}},
    };
    return change;
}

/* A change with anything in it. */
static struct status_change random_hostile_change(void)
{
    static const int64_t times[] = {INT64_MIN,           -1,       0, 946684800 * SECOND - 1,
                                    BASE + 301 * SECOND, INT64_MAX};
    static const int32_t kinds[] = {INT32_MIN, -1, 0, 2, 3, 12, 15, INT32_MAX};
    struct status_change change = random_change();
    change.kind = one_in(4) ? kinds[pick(8)] : change.kind;
    change.occurred_at_us = one_in(8) ? times[pick(6)] : change.occurred_at_us;
    change.has_altinn2_id = !one_in(16);
    change.altinn2_id = one_in(16) ? (int32_t)sync_random_next(&seed) : 7001;
    change.has_altinn3_id = one_in(8) ? !change.has_altinn3_id : change.has_altinn3_id;
    change.altinn3_id.bytes[5] = one_in(8) ? 1 : 0;
    change.mode = one_in(32) ? pick(5) - 2 : change.mode;
    change.has_origin = one_in(8);
    change.origin =
        (struct status_source){pick(4) - 1, sync_bytes_text(one_in(8) ? "" : "cause"), 1};
    change.source.stream = one_in(32) ? (struct sync_bytes){NULL, 0} : change.source.stream;
    change.written_by_sync = one_in(16);
    change.has_altinn2_party = one_in(2);
    change.altinn2_party_id = (int32_t)sync_random_next(&seed);
    return change;
}

/* A message in any state that the columns allow. */
static void random_message(struct message *m)
{
    message_start(m, (enum status_mapping)(one_in(4) ? pick(4) : STATUS_MAPPED),
                  (enum status_gate)pick(4));
    struct status_state *state = &m->state;
    state->read = one_in(2);
    state->confirmed = one_in(2);
    state->archived = one_in(2);
    state->a2_read = pick(3);
    state->a2_confirmed = pick(3);
    state->a2_deleted = pick(3);
    state->dlg_opened = one_in(2);
    state->dlg_label = pick(5);
    state->confirmation_needed = one_in(2);
    state->a3_present = !one_in(8);
    state->bridge_closed = one_in(4);
    state->held_count = one_in(8) ? 10000 : 0;
    state->visible_at_us = one_in(2) ? STATUS_NEVER : BASE + pick(200) * SECOND - 100 * SECOND;
    for (int i = pick(6); i > 0; i--) {
        struct status_change change = random_change();
        int64_t second = sync_second_of(change.occurred_at_us);
        if (status_fact_find(state, change.kind, &change.party, second) == NULL) {
            struct status_fact *fact = &m->facts[state->fact_count++];
            *fact = (struct status_fact){.kind = change.kind,
                                         .party = change.party,
                                         .second = second,
                                         .known = one_in(2),
                                         .a3_row = one_in(2),
                                         .refused = one_in(4),
                                         .echo_until_us = one_in(4) ? INT64_MAX : STATUS_NEVER};
            state->purged = state->purged || (fact->known && status_kind_is_purge(fact->kind));
        }
    }
}

/* Gives the change's key a slot, as the look-up does. */
static void message_look_up(struct message *m, const struct status_change *change)
{
    int64_t second = sync_second_of(change->occurred_at_us);
    if (status_fact_find(&m->state, change->kind, &change->party, second) == NULL) {
        m->facts[m->state.fact_count++] =
            (struct status_fact){.kind = change->kind,
                                 .party = change->party,
                                 .second = second,
                                 .a3_row = one_in(4),
                                 .echo_until_us = one_in(2) ? INT64_MAX : STATUS_NEVER};
    }
}

/* Laws over random input. */

static void every_input_ends_in_one_outcome_with_a_rule_of_the_table(void **context)
{
    (void)context;
    size_t reached[256] = {0};
    for (int round = 0; round < ROUNDS; round++) {
        struct message m;
        random_message(&m);
        struct status_change change = random_hostile_change();
        struct sync_context ctx = context_of(&change);
        message_look_up(&m, &change);
        ctx.released = one_in(8);
        ctx.decided_us = one_in(8) ? BASE + 8 * 86400 * SECOND : ctx.decided_us;
        message_decide(&m, &change, &ctx);
        const struct sync_rule *rule = rule_find(status, m.fold.rule);
        assert_non_null(rule);
        assert_null(rule->subject);
        assert_int_equal(rule->outcome, m.fold.outcome);
        assert_int_equal(m.fold.outcome == SYNC_OUTCOME_PARKED, m.fold.reason != NULL);
        assert_int_equal(m.fold.outcome == SYNC_OUTCOME_PARKED, m.fold.code != SYNC_CODE_NONE);
        assert_true(m.effects.count < SYNC_FOLD_EFFECTS_MAX);
        reached[rule - status->rules]++;
    }
    for (size_t i = 0; i < status->rule_count; i++) {
        const struct sync_rule *rule = &status->rules[i];
        bool ageing = strcmp(rule->id, status->hold_limits[0].parked_rule) == 0 ||
                      strcmp(rule->id, status->hold_limits[1].parked_rule) == 0;
        if (rule->subject == NULL && !ageing && reached[i] == 0) {
            fail_msg("no input of %d reached %s", ROUNDS, rule->id);
        }
    }
}

static void assert_effects_equal(const struct sync_effects *a, const struct sync_effects *b)
{
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        assert_string_equal(a->items[i].name, b->items[i].name);
        assert_int_equal(a->items[i].body_size, b->items[i].body_size);
        assert_memory_equal(a->items[i].body, b->items[i].body, a->items[i].body_size);
        assert_int_equal(a->items[i].closed, b->items[i].closed);
    }
}

static void the_same_input_decides_the_same(void **context)
{
    (void)context;
    for (int round = 0; round < ROUNDS; round++) {
        struct message one;
        struct message two;
        random_message(&one);
        message_copy(&one, &two);
        struct status_change change = random_hostile_change();
        message_take(&one, &change);
        message_take(&two, &change);
        assert_ptr_equal(one.fold.rule, two.fold.rule);
        assert_string_equal(message_digest(&one), message_digest(&two));
        assert_effects_equal(&one.effects, &two.effects);
    }
}

static void the_key_is_total_and_its_text_fits(void **context)
{
    (void)context;
    for (int round = 0; round < ROUNDS; round++) {
        struct status_change change = random_hostile_change();
        struct sync_key key = {.size = 99};
        struct sync_error err = {.code = SYNC_CODE_NONE};
        if (sync_is_ok(status->key(&change, &key, &err))) {
            assert_true(key.size > 0 && key.size < sizeof key.text && key.size == strlen(key.text));
        } else {
            assert_int_equal(err.class, SYNC_CLASS_PARK);
            assert_int_equal(key.size, 99);
        }
    }
}

static void folding_twice_is_folding_once(void **context)
{
    (void)context;
    for (int round = 0; round < ROUNDS / 10; round++) {
        struct message m;
        message_start(&m, STATUS_MAPPED, one_in(2) ? STATUS_VISIBLE : STATUS_HIDDEN);
        struct status_change changes[CHANGES_MAX];
        for (int i = 0; i < CHANGES_MAX; i++) {
            changes[i] = random_change();
            message_take(&m, &changes[i]);
        }
        message_commit(&m);
        int64_t version = m.state.version;
        char *before = message_digest(&m);
        for (int i = 0; i < CHANGES_MAX; i++) {
            message_take(&m, &changes[i]);
            assert_int_equal(m.fold.outcome, SYNC_OUTCOME_DUPLICATE);
            assert_int_equal(m.effects.count, 0);
        }
        assert_string_equal(message_digest(&m), before);
        assert_true(m.state.version == version);
        for (size_t i = 0; i < m.state.fact_count; i++) {
            assert_false(m.facts[i].insert || m.facts[i].write_row || m.facts[i].write_purge);
        }
    }
}

static void shuffle(struct status_change *changes, int count)
{
    for (int i = count - 1; i > 0; i--) {
        int other = pick(i + 1);
        struct status_change kept = changes[i];
        changes[i] = changes[other];
        changes[other] = kept;
    }
}

static void every_order_and_every_batch_split_end_equal(void **context)
{
    (void)context;
    for (int round = 0; round < ROUNDS / 20; round++) {
        enum status_gate gate = one_in(2) ? STATUS_VISIBLE : STATUS_HIDDEN;
        struct status_change changes[CHANGES_MAX];
        struct message first;
        message_start(&first, STATUS_MAPPED, gate);
        for (int i = 0; i < CHANGES_MAX; i++) {
            changes[i] = random_change();
            message_take(&first, &changes[i]);
        }
        for (int order = 0; order < 8; order++) {
            struct message m;
            message_start(&m, STATUS_MAPPED, gate);
            shuffle(changes, CHANGES_MAX);
            for (int i = 0; i < CHANGES_MAX; i++) {
                message_take(&m, &changes[i]);
                if (one_in(2)) {
                    message_commit(&m);
                }
            }
            assert_string_equal(message_digest(&m), message_digest(&first));
        }
    }
}

static void a_batch_split_changes_no_outcome_and_no_effect(void **context)
{
    (void)context;
    for (int round = 0; round < ROUNDS / 10; round++) {
        struct message whole;
        struct message split;
        message_start(&whole, STATUS_MAPPED, one_in(2) ? STATUS_VISIBLE : STATUS_HIDDEN);
        message_copy(&whole, &split);
        for (int i = 0; i < CHANGES_MAX; i++) {
            struct status_change change = random_change();
            message_take(&whole, &change);
            message_take(&split, &change);
            assert_ptr_equal(whole.fold.rule, split.fold.rule);
            assert_effects_equal(&whole.effects, &split.effects);
            if (one_in(2)) {
                message_commit(&split);
            }
        }
    }
}

static void own_writes_that_come_back_are_echoes_and_tell_nobody(void **context)
{
    (void)context;
    for (int round = 0; round < ROUNDS / 10; round++) {
        struct message m;
        message_start(&m, STATUS_MAPPED, one_in(2) ? STATUS_VISIBLE : STATUS_HIDDEN);
        struct status_change change = random_change();
        message_take(&m, &change);
        message_commit(&m);
        char *before = message_digest(&m);
        struct status_change back = change;
        back.source.system = change.source.system == 0 ? 1 : 0;
        back.has_altinn3_id = true;
        back.has_origin = true;
        back.origin = change.source;
        message_take(&m, &back);
        assert_string_equal(m.fold.rule, "CS-04");
        assert_int_equal(m.effects.count, 0);
        back.has_origin = false;
        back.written_by_sync = true;
        message_take(&m, &back);
        assert_string_equal(m.fold.rule, "CS-05");
        assert_int_equal(m.effects.count, 0);
        back.written_by_sync = false;
        message_take(&m, &back);
        assert_string_equal(m.fold.rule, "CS-20");
        assert_int_equal(m.effects.count, 0);
        assert_string_equal(message_digest(&m), before);
    }
}

static void nothing_late_leaves_or_resurrects_after_a_purge(void **context)
{
    (void)context;
    for (int round = 0; round < ROUNDS / 10; round++) {
        struct message m;
        message_start(&m, STATUS_MAPPED, one_in(2) ? STATUS_VISIBLE : STATUS_HIDDEN);
        struct status_change change = random_change();
        change.kind = one_in(2) ? STATUS_PURGED_BY_OWNER : STATUS_PURGED_BY_RECIPIENT;
        message_take(&m, &change);
        for (int i = 0; i < CHANGES_MAX; i++) {
            if (one_in(3)) {
                message_commit(&m);
            }
            change = random_change();
            message_take(&m, &change);
            for (size_t j = 0; j < m.effects.count; j++) {
                assert_string_equal(m.effects.items[j].name, "a2/delete");
            }
            assert_int_equal(status_label_of(&m.state), STATUS_LABEL_NONE);
        }
    }
}

static void hold_and_release_end_like_no_hold(void **context)
{
    (void)context;
    for (int round = 0; round < ROUNDS / 10; round++) {
        bool hidden = one_in(2);
        struct message held;
        struct message free_of_hold;
        message_start(&held, one_in(2) ? STATUS_UNKNOWN : STATUS_EXPECTED, STATUS_HIDDEN);
        message_start(&free_of_hold, STATUS_MAPPED, hidden ? STATUS_HIDDEN : STATUS_VISIBLE);
        struct status_change changes[CHANGES_MAX];
        for (int i = 0; i < CHANGES_MAX; i++) {
            changes[i] = random_change();
            message_take(&free_of_hold, &changes[i]);
            message_take(&held, &changes[i]);
            assert_int_equal(held.fold.outcome, SYNC_OUTCOME_HELD);
            assert_int_equal(held.effects.count, 0);
        }
        status_adopt(&held.state, &message_id, hidden, BASE + 100 * SECOND);
        for (int i = 0; i < CHANGES_MAX; i++) {
            struct sync_context ctx = context_of(&changes[i]);
            ctx.released = true;
            ctx.decided_us = BASE + 100 * SECOND;
            message_decide(&held, &changes[i], &ctx);
            assert_true(held.fold.outcome != SYNC_OUTCOME_HELD);
        }
        assert_string_equal(message_digest(&held), message_digest(&free_of_hold));
    }
}

static void the_difference_is_told_once(void **context)
{
    (void)context;
    for (int round = 0; round < ROUNDS; round++) {
        struct message m;
        struct sync_error err = {.text = ""};
        random_message(&m);
        m.effects.count = 0;
        assert_true(sync_is_ok(status->difference(&status->routes[0], &m.state, &m.effects, &err)));
        assert_true(m.effects.count <= 3);
        for (size_t i = 0; i < m.effects.count; i++) {
            assert_string_equal(m.effects.items[i].target, "dialog");
        }
        m.effects.count = 0;
        assert_true(sync_is_ok(status->difference(&status->routes[0], &m.state, &m.effects, &err)));
        assert_int_equal(m.effects.count, 0);
    }
}

static int seed_start(void **context)
{
    (void)context;
    const char *given = getenv("SYNC_SEED");
    seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    printf("SYNC_SEED=%" PRIu64 "\n", seed);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_descriptor_is_complete),
        cmocka_unit_test(every_field_lies_inside_its_change_and_has_a_path_of_its_own),
        cmocka_unit_test(every_rule_has_one_id_and_one_sentence),
        cmocka_unit_test(every_option_and_hold_limit_is_consistent),
        cmocka_unit_test(every_route_has_its_topic_and_consumer_in_topics_yaml),
        cmocka_unit_test(every_option_is_one_of_the_configuration),
        cmocka_unit_test(every_field_is_filled_from_the_schema_it_names),
        cmocka_unit_test(rules_and_routes_are_those_of_the_golden_files),
        cmocka_unit_test(every_input_ends_in_one_outcome_with_a_rule_of_the_table),
        cmocka_unit_test(the_same_input_decides_the_same),
        cmocka_unit_test(the_key_is_total_and_its_text_fits),
        cmocka_unit_test(folding_twice_is_folding_once),
        cmocka_unit_test(every_order_and_every_batch_split_end_equal),
        cmocka_unit_test(a_batch_split_changes_no_outcome_and_no_effect),
        cmocka_unit_test(own_writes_that_come_back_are_echoes_and_tell_nobody),
        cmocka_unit_test(nothing_late_leaves_or_resurrects_after_a_purge),
        cmocka_unit_test(hold_and_release_end_like_no_hold),
        cmocka_unit_test(the_difference_is_told_once),
    };
    return cmocka_run_group_tests(tests, seed_start, NULL);
}
