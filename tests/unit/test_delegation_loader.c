/*
 * Shows which lines of resources are taken, what is wrong with others, and what becomes of a known
 * one. Needs SYNC_TEST_DSN for the rows.
 */
#include "../../src/runtime/loader.h"
#include "own_database.h"

#define GOOD                                                                                       \
    "{\"type\":\"resource\",\"id\":\" TTD-App \",\"resourceType\":\"AltinnApp\",\"actions\":"      \
    "[\"write\",\"Read\"],\"phase\":\"sync\"}"

static uint8_t memory[1 << 20];
static struct sync_arena arena;
static const struct sync_loader *loader;

static int start(void **state)
{
    (void)state;
    loader = sync_loader_find("delegation");
    own_start_home("loader", "authorization");
    return 0;
}

static int stop(void **state)
{
    (void)state;
    own_stop();
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    sync_arena_init(&arena, memory, sizeof memory);
    if (own.usable) {
        run_sql("TRUNCATE sync.resource_state");
    }
    return 0;
}

/* Lines of one transaction. */
static void load(const char *const *texts, size_t count, struct sync_load_line *ret_lines)
{
    int64_t now_us;
    for (size_t i = 0; i < count; i++) {
        ret_lines[i] = (struct sync_load_line){.number = i + 1};
        must(loader->parse(sync_bytes_text(texts[i]), &arena, &ret_lines[i].item, &own.err));
    }
    must(sync_txn_begin(own.db, &(struct sync_txn_limits){0}, &now_us, &own.err));
    must(loader->write(own.db, ret_lines, count, &arena, &own.err));
    must(sync_txn_commit(own.db, &own.err));
}

static struct sync_load_line one(const char *text)
{
    struct sync_load_line line;
    load(&text, 1, &line);
    return line;
}

static void refused(const char *text, const char *field, const char *part)
{
    void *item = NULL;
    struct sync_error err = {0};
    assert_int_equal(loader->parse(sync_bytes_text(text), &arena, &item, &err).class,
                     SYNC_CLASS_PARK);
    assert_string_equal(err.field, field);
    if (strstr(err.text, part) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", err.text, part);
    }
    assert_null(item);
}

static void a_line_finds_its_loader_by_type(void **state)
{
    (void)state;
    assert_ptr_equal(sync_loader_for(sync_bytes_text("resource")), loader);
    assert_ptr_equal(sync_loader_for(sync_bytes_text("party")), sync_loader_find("correspondence"));
    assert_null(sync_loader_for(sync_bytes_text("resources")));
    assert_null(sync_loader_for((struct sync_bytes){NULL, 0}));
    assert_null(sync_loader_find("status"));
}

static void wrong_lines_name_the_field(void **state)
{
    (void)state;
    refused("[]", "", "no object");
    refused("{\"type\":\"resource\",\"idd\":\"x\"}", "idd", "not known");
    refused("{\"type\":\"party\"}", "type", "resource");
    refused("{\"type\":\"resource\",\"resourceType\":\"x\",\"phase\":\"off\"}", "id", "no text");
    refused("{\"type\":\"resource\",\"id\":\" \",\"resourceType\":\"x\",\"phase\":\"off\"}", "id",
            "blank");
    refused("{\"type\":\"resource\",\"id\":\"x\",\"phase\":\"off\"}", "resourceType", "no text");
    refused("{\"type\":\"resource\",\"id\":\"x\",\"resourceType\":\"x\",\"phase\":\"on\"}", "phase",
            "none of off");
    refused("{\"type\":\"resource\",\"id\":\"x\",\"resourceType\":\"x\",\"phase\":\"off\","
            "\"serviceCode\":\"1\"}",
            "serviceEdition", "no number");
    refused("{\"type\":\"resource\",\"id\":\"x\",\"resourceType\":\"x\",\"phase\":\"off\","
            "\"serviceEdition\":1}",
            "serviceEdition", "no serviceCode");
    refused("{\"type\":\"resource\",\"id\":\"x\",\"resourceType\":\"x\",\"phase\":\"off\","
            "\"actions\":\"read\"}",
            "actions", "no list");
    refused("{\"type\":\"resource\",\"id\":\"x\",\"resourceType\":\"x\",\"phase\":\"off\","
            "\"actions\":[\"read\",7]}",
            "actions", "an action");
    refused("{\"type\":\"resource\",\"id\":\"x\",\"resourceType\":\"x\",\"phase\":\"off\","
            "\"freezeTime\":\"2030-01-01\"}",
            "freezeTime", "ISO 8601");
}

static void a_resource_is_stored_in_canonical_form(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    struct sync_load_line line = one(GOOD);
    assert_false(line.known || line.refused);
    assert_int_equal(line.entity.size, 0); /* what waits for it is found by the sweep */
    assert_int_equal(ask("SELECT count(*) FROM sync.resource_state WHERE resource = 'ttd-app'"
                         " AND type = 'AltinnApp' AND actions = '{read,write}' AND phase = 2"
                         " AND service_code IS NULL AND freeze_time IS NULL AND sweep_state = 1"),
                     1);
}

static void the_same_again_is_known_and_a_change_is_swept(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    (void)one(GOOD);
    run_sql("UPDATE sync.resource_state SET sweep_state = 0, sweep_key = 7");
    assert_true(one(GOOD).known);
    assert_int_equal(ask("SELECT sweep_state FROM sync.resource_state"), 0);
    struct sync_load_line line = one("{\"type\":\"resource\",\"id\":\"ttd-app\",\"resourceType\":"
                                     "\"AltinnApp\",\"actions\":null,\"phase\":\"sync\"}");
    assert_false(line.known);
    assert_int_equal(ask("SELECT count(*) FROM sync.resource_state WHERE actions IS NULL"
                         " AND sweep_state = 1 AND sweep_key = 0"),
                     1);
}

static void a_freeze_begins_now_or_later(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    struct sync_load_line line =
        one("{\"type\":\"resource\",\"id\":\"x\",\"resourceType\":\"x\",\"phase\":\"frozen\","
            "\"freezeTime\":\"2020-01-01T00:00:00Z\"}");
    assert_true(line.refused);
    assert_string_equal(line.error.field, "freezeTime");
    assert_int_equal(ask("SELECT count(*) FROM sync.resource_state"), 0);
    static const char text[] =
        "{\"type\":\"resource\",\"id\":\"x\",\"resourceType\":\"x\",\"phase\":"
        "\"frozen\",\"freezeTime\":\"2120-01-01T00:00:00Z\"}";
    assert_false(one(text).refused);
    run_sql("UPDATE sync.resource_state SET freeze_time = '2020-01-01T00:00:00Z'");
    line = one("{\"type\":\"resource\",\"id\":\"x\",\"resourceType\":\"x\",\"phase\":\"final\","
               "\"freezeTime\":\"2020-01-01T00:00:00Z\"}");
    assert_false(line.refused); /* it has begun long since */
}

static void a_line_that_stands_twice_is_refused_and_the_others_go_on(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    static const char other[] =
        "{\"type\":\"resource\",\"id\":\"other\",\"resourceType\":\"x\",\"phase\":\"off\"}";
    const char *texts[] = {GOOD, GOOD, other};
    struct sync_load_line lines[3];
    load(texts, 3, lines);
    assert_false(lines[0].refused || lines[2].refused);
    assert_true(lines[1].refused);
    assert_int_equal(ask("SELECT count(*) FROM sync.resource_state"), 2);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup(name, set_up)
    const struct CMUnitTest tests[] = {
        CASE(a_line_finds_its_loader_by_type),
        CASE(wrong_lines_name_the_field),
        CASE(a_resource_is_stored_in_canonical_form),
        CASE(the_same_again_is_known_and_a_change_is_swept),
        CASE(a_freeze_begins_now_or_later),
        CASE(a_line_that_stands_twice_is_refused_and_the_others_go_on),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
