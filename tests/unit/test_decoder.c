/*
 * Shows that a status change survives encoding and decoding through both the frame and the schema,
 * that its bytes are those on the wire, and that every broken frame is parked with its code:
 * with the real schema, rows and processor. The last test prints the rate.
 */
#include "core/limits.h"
#include "runtime/schema.h"

#include <altinn_sync/correspondence_status.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>

static const struct sync_processor *const processor = &sync_processor_correspondence_status;

struct world {
    struct sync_schema_set *set;
    struct sync_decoder *decoder;
    struct sync_arena arena;
    uint8_t memory[4096];
};

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    struct sync_error err = {0};
    sync_status status = sync_schema_set_new(SYNC_SOURCE_DIR "/schemas", &world->set, &err);
    if (sync_is_ok(status)) {
        status = sync_decoder_new(world->set, processor, &world->decoder, &err);
    }
    if (!sync_is_ok(status)) {
        (void)fprintf(stderr, "%s\n", err.text);
        return -1;
    }
    sync_arena_init(&world->arena, world->memory, sizeof world->memory);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    sync_decoder_free(&world->decoder);
    sync_schema_set_free(&world->set);
    free(world);
    return 0;
}

static struct status_change example(void)
{
    struct status_change change;
    memset(&change, 0, sizeof change);
    change.source = (struct status_source){1, sync_bytes_text("altinn3-status.1"), 4711};
    change.has_origin = true;
    change.origin = (struct status_source){0, sync_bytes_text("a2.1"), -1};
    change.has_altinn2_id = true;
    change.altinn2_id = 7001;
    change.has_altinn3_id = true;
    memset(&change.altinn3_id, 0xAB, sizeof change.altinn3_id);
    change.mode = STATUS_HISTORY;
    change.captured_at_us = 1700000000000000;
    change.written_by_sync = true;
    change.kind = STATUS_PURGED_BY_OWNER;
    change.occurred_at_us = INT64_MIN;
    memset(&change.party, 0x01, sizeof change.party);
    change.has_user = true;
    change.has_altinn2_party = true;
    change.altinn2_party_id = -5;
    return change;
}

static struct sync_bytes encode(struct world *world, const struct status_change *change)
{
    struct sync_bytes value = {NULL, 0};
    struct sync_error err = {0};
    const struct sync_schema *schema = sync_schema_set_find(world->set, processor->schema);
    sync_status status = sync_encode(schema, processor, change, &world->arena, &value, &err);
    assert_string_equal(err.text, "");
    assert_true(sync_is_ok(status));
    return value;
}

static void assert_changes_equal(const struct status_change *a, const struct status_change *b)
{
    assert_int_equal(a->source.system, b->source.system);
    assert_true(sync_bytes_equal(a->source.stream, b->source.stream));
    assert_int_equal(a->source.sequence, b->source.sequence);
    assert_int_equal(a->has_origin, b->has_origin);
    assert_int_equal(a->origin.system, b->origin.system);
    assert_true(sync_bytes_equal(a->origin.stream, b->origin.stream));
    assert_int_equal(a->origin.sequence, b->origin.sequence);
    assert_int_equal(a->has_altinn2_id, b->has_altinn2_id);
    assert_int_equal(a->altinn2_id, b->altinn2_id);
    assert_int_equal(a->has_altinn3_id, b->has_altinn3_id);
    assert_memory_equal(&a->altinn3_id, &b->altinn3_id, sizeof a->altinn3_id);
    assert_int_equal(a->mode, b->mode);
    assert_int_equal(a->captured_at_us, b->captured_at_us);
    assert_int_equal(a->written_by_sync, b->written_by_sync);
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->occurred_at_us, b->occurred_at_us);
    assert_memory_equal(&a->party, &b->party, sizeof a->party);
    assert_int_equal(a->has_user, b->has_user);
    assert_memory_equal(&a->user, &b->user, sizeof a->user);
    assert_int_equal(a->has_altinn2_party, b->has_altinn2_party);
    assert_int_equal(a->altinn2_party_id, b->altinn2_party_id);
}

static void a_full_change_comes_back_equal(void **state)
{
    struct world *world = *state;
    struct status_change change = example();
    struct status_change back;
    struct sync_error err = {0};
    struct sync_bytes value = encode(world, &change);
    assert_true(sync_is_ok(sync_decoder_decode(world->decoder, value, &back, &err)));
    assert_changes_equal(&change, &back);
}

static void a_change_without_its_nullable_fields_comes_back_equal(void **state)
{
    struct world *world = *state;
    struct status_change change = example();
    change.has_origin = change.has_altinn2_id = change.has_altinn3_id = false;
    change.has_user = change.has_altinn2_party = false;
    struct sync_bytes value = encode(world, &change);
    struct status_change back;
    memset(&back, 0xFF, sizeof back);
    struct sync_error err = {0};
    assert_true(sync_is_ok(sync_decoder_decode(world->decoder, value, &back, &err)));
    /* What is not there reads as zero, whatever the sender's struct held. */
    change.origin = (struct status_source){0};
    change.altinn2_id = change.altinn2_party_id = 0;
    memset(&change.altinn3_id, 0, sizeof change.altinn3_id);
    assert_changes_equal(&change, &back);
}

static void a_value_begins_with_the_frame_of_the_protocol(void **state)
{
    struct world *world = *state;
    struct status_change change = example();
    struct sync_bytes value = encode(world, &change);
    const uint8_t frame[] = {0xC3, 0x01, 0x97, 0xFB, 0x44, 0x04, 0xB1, 0xE3, 0xD3, 0x94};
    assert_true(value.size > sizeof frame);
    assert_memory_equal(value.data, frame, sizeof frame);
}

static enum sync_code code_of(struct world *world, const void *data, size_t size)
{
    struct status_change change;
    struct sync_error err = {0};
    struct sync_bytes value = {data, size};
    sync_status status = sync_decoder_decode(world->decoder, value, &change, &err);
    if (!sync_is_ok(status)) {
        assert_int_equal(status.class, SYNC_CLASS_PARK);
        assert_int_equal(err.class, SYNC_CLASS_PARK);
        assert_true(err.text[0] != '\0');
        /* The caller may mind the status only. */
        assert_int_equal(sync_decoder_decode(world->decoder, value, &change, NULL).class,
                         SYNC_CLASS_PARK);
    }
    return err.code;
}

static void broken_frames_are_parked_with_their_code(void **state)
{
    struct world *world = *state;
    assert_int_equal(code_of(world, NULL, 0), SYNC_CODE_EMPTY_VALUE);
    assert_int_equal(code_of(world, "", 0), SYNC_CODE_EMPTY_VALUE);
    assert_int_equal(code_of(world, "\x7B", 1), SYNC_CODE_FRAMING);
    assert_int_equal(code_of(world, "{\"kind\":4}", 10), SYNC_CODE_FRAMING);
    assert_int_equal(code_of(world, "\xC3", 1), SYNC_CODE_FRAMING);
    assert_int_equal(code_of(world, "\xC3\x01\x97\xFB\x44\x04\xB1\xE3\xD3", 9), SYNC_CODE_FRAMING);
    assert_int_equal(code_of(world, "\xC3\x02\x97\xFB\x44\x04\xB1\xE3\xD3\x94", 10),
                     SYNC_CODE_FRAMING);
    assert_int_equal(code_of(world, "\x00\x00\x00\x00", 4), SYNC_CODE_FRAMING);
    assert_int_equal(code_of(world, "\x00\x00\x00\x00\x07", 5), SYNC_CODE_SCHEMA_UNKNOWN);
    assert_int_equal(code_of(world, "\xC3\x01\x98\xFB\x44\x04\xB1\xE3\xD3\x94", 10),
                     SYNC_CODE_SCHEMA_UNKNOWN);
    assert_int_equal(code_of(world, "\xC3\x01\x97\xFB\x44\x04\xB1\xE3\xD3\x94", 10),
                     SYNC_CODE_TRUNCATED);
}

static void every_prefix_and_every_longer_value_is_parked(void **state)
{
    struct world *world = *state;
    struct status_change change = example();
    struct sync_bytes value = encode(world, &change);
    for (size_t size = 10; size < value.size; size++) {
        /* Its own memory, so that a sanitizer sees one byte too far. */
        uint8_t *copy = malloc(size);
        assert_non_null(copy);
        memcpy(copy, value.data, size);
        enum sync_code code = code_of(world, copy, size);
        assert_true(code == SYNC_CODE_TRUNCATED || code == SYNC_CODE_LENGTH);
        free(copy);
    }
    uint8_t longer[512] = {0};
    memcpy(longer, value.data, value.size);
    assert_int_equal(code_of(world, longer, value.size + 1), SYNC_CODE_TRAILING_BYTES);
}

static void every_changed_byte_ends_in_a_value_or_a_parked_one(void **state)
{
    struct world *world = *state;
    struct status_change change = example();
    struct sync_bytes value = encode(world, &change);
    uint8_t copy[512];
    for (size_t at = 0; at < value.size; at++) {
        for (int byte = 0; byte < 256; byte++) {
            memcpy(copy, value.data, value.size);
            copy[at] = (uint8_t)byte;
            (void)code_of(world, copy, value.size); /* asserts the class */
        }
    }
}

static void an_oversized_value_is_parked(void **state)
{
    struct world *world = *state;
    struct status_change change = example();
    struct sync_bytes value = encode(world, &change);
    size_t size = SYNC_RECORD_BYTES_MAX + 11;
    uint8_t *huge = calloc(1, size);
    assert_non_null(huge);
    memcpy(huge, value.data, value.size);
    assert_int_equal(code_of(world, huge, size), SYNC_CODE_OVERSIZE);
    free(huge);
}

static void uuids_are_read_in_either_case_and_nothing_else(void **state)
{
    struct world *world = *state;
    struct status_change change = example();
    struct sync_bytes value = encode(world, &change);
    uint8_t copy[512];
    memcpy(copy, value.data, value.size);
    uint8_t *text = memmem(copy, value.size, "abababab-abab", 13);
    assert_non_null(text);
    text[0] = 'A';
    assert_int_equal(code_of(world, copy, value.size), SYNC_CODE_NONE);
    text[0] = 'g';
    struct sync_error err = {0};
    struct sync_bytes bad = {copy, value.size};
    struct status_change back;
    sync_status status = sync_decoder_decode(world->decoder, bad, &back, &err);
    assert_int_equal(status.class, SYNC_CLASS_PARK);
    assert_int_equal(err.code, SYNC_CODE_UUID);
    assert_string_equal(err.field, "altinn3_id");
    char offset[32];
    (void)snprintf(offset, sizeof offset, "byte %td of", text - copy - 10);
    assert_non_null(strstr(err.text, offset));
    assert_null(strstr(err.text, "abab"));
}

static void what_cannot_be_encoded_is_refused_with_its_code(void **state)
{
    struct world *world = *state;
    const struct sync_schema *schema = sync_schema_set_find(world->set, processor->schema);
    struct sync_bytes value = {NULL, 0};
    struct sync_error err = {0};
    char long_text[80];
    memset(long_text, 'x', sizeof long_text);
    struct status_change change = example();
    change.source.stream = (struct sync_bytes){(uint8_t *)long_text, 65};
    sync_status status = sync_encode(schema, processor, &change, &world->arena, &value, &err);
    assert_int_equal(status.class, SYNC_CLASS_PARK);
    assert_int_equal(err.code, SYNC_CODE_FIELD_RANGE);
    assert_string_equal(err.field, "source.stream");
    change.source.stream = sync_bytes_text("\xFF");
    status = sync_encode(schema, processor, &change, &world->arena, &value, &err);
    assert_int_equal(status.class, SYNC_CLASS_PARK);
    assert_int_equal(err.code, SYNC_CODE_UTF8);
    change = example();
    change.mode = 2;
    status = sync_encode(schema, processor, &change, &world->arena, &value, &err);
    assert_int_equal(err.code, SYNC_CODE_FIELD_RANGE);
    assert_string_equal(err.field, "mode");
    change.mode = -1;
    status = sync_encode(schema, processor, &change, &world->arena, &value, &err);
    assert_int_equal(err.code, SYNC_CODE_FIELD_RANGE);
    change = example();
    struct sync_arena small;
    sync_arena_init(&small, world->memory, 100);
    status = sync_encode(schema, processor, &change, &small, &value, &err);
    assert_int_equal(status.class, SYNC_CLASS_RETRY);
    assert_int_equal(err.code, SYNC_CODE_MEMORY_LIMIT);
    assert_null(value.data);
}

static void a_processor_that_does_not_fit_its_schema_does_not_start(void **state)
{
    struct world *world = *state;
    struct sync_decoder *decoder = NULL;
    struct sync_error err = {0};
    struct sync_processor wrong = *processor;
    wrong.schema = "no.altinn.sync.Nothing";
    assert_int_equal(sync_decoder_new(world->set, &wrong, &decoder, &err).class, SYNC_CLASS_FATAL);
    assert_int_equal(err.code, SYNC_CODE_SCHEMA_UNKNOWN);
    const struct sync_field rows[] = {
        {"source.colour", SYNC_FIELD_TEXT, 0, SYNC_FIELD_REQUIRED, NULL, 0}};
    wrong = *processor;
    wrong.fields = rows;
    wrong.field_count = 1;
    assert_int_equal(sync_decoder_new(world->set, &wrong, &decoder, &err).class, SYNC_CLASS_FATAL);
    assert_int_equal(err.code, SYNC_CODE_SCHEMA_MISMATCH);
    assert_string_equal(err.field, "source.colour");
    assert_null(decoder);
}

/* Writers of several versions: a directory whose history holds what is asked for. */
struct versions {
    char dir[64];
    struct sync_schema_set *set;
    struct sync_decoder *decoder;
};

static void write_schema(const char *dir, const char *name, const char *text)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    for (size_t i = 0; text[i] != '\0'; i++) {
        (void)fputc(text[i] == '\'' ? '"' : text[i], file);
    }
    assert_int_equal(fclose(file), 0);
}

static const struct sync_field number_row[] = {
    {"i", SYNC_FIELD_LONG, 0, SYNC_FIELD_REQUIRED, NULL, 0}};
static const struct sync_processor numbers = {.name = "numbers",
                                              .schema = "R",
                                              .fields = number_row,
                                              .field_count = 1,
                                              .change_size = sizeof(int64_t)};

static void open_versions(struct versions *versions, int count)
{
    char history[80];
    struct sync_error err = {0};
    (void)snprintf(versions->dir, sizeof versions->dir, "/tmp/test_decoder.XXXXXX");
    assert_non_null(mkdtemp(versions->dir));
    (void)snprintf(history, sizeof history, "%s/history", versions->dir);
    assert_int_equal(mkdir(history, 0700), 0);
    write_schema(versions->dir, "R.avsc",
                 "{'type':'record','name':'R','fields':[{'name':'i','type':'long','default':7}]}");
    write_schema(history, "old.avsc",
                 "{'type':'record','name':'R','fields':[{'name':'i','type':'int'},"
                 "{'name':'gone','type':'string'}]}");
    write_schema(history, "wrong.avsc",
                 "{'type':'record','name':'R','fields':[{'name':'i','type':'string'}]}");
    for (int i = 0; i < count; i++) {
        char name[32];
        char text[128];
        (void)snprintf(name, sizeof name, "%d.avsc", i);
        (void)snprintf(text, sizeof text,
                       "{'type':'record','name':'R','fields':[{'name':'f%d','type':'int'}]}", i);
        write_schema(history, name, text);
    }
    assert_true(sync_is_ok(sync_schema_set_new(versions->dir, &versions->set, &err)));
    assert_true(sync_is_ok(sync_decoder_new(versions->set, &numbers, &versions->decoder, &err)));
}

static void close_versions(struct versions *versions)
{
    char command[128];
    sync_decoder_free(&versions->decoder);
    sync_schema_set_free(&versions->set);
    (void)snprintf(command, sizeof command, "rm -r %s", versions->dir);
    assert_int_equal(system(command), 0);
}

/* Frames a datum with the fingerprint of a schema's text. */
static struct sync_error decode_as(struct versions *versions, const char *canonical,
                                   struct sync_bytes datum, int64_t *ret_number)
{
    char text[256];
    (void)snprintf(text, sizeof text, "%s", canonical);
    for (char *at = strchr(text, '\''); at != NULL; at = strchr(at, '\'')) {
        *at = '"';
    }
    struct sync_schema *schema = NULL;
    struct sync_error err = {0};
    assert_true(sync_is_ok(sync_schema_new(sync_bytes_text(text), &schema, &err)));
    uint8_t value[64] = {0xC3, 0x01};
    for (int i = 0; i < 8; i++) {
        value[2 + i] = (uint8_t)(sync_schema_fingerprint(schema) >> 8 * i);
    }
    sync_schema_free(&schema);
    memcpy(value + 10, datum.data, datum.size);
    sync_status status = sync_decoder_decode(
        versions->decoder, (struct sync_bytes){value, 10 + datum.size}, ret_number, &err);
    assert_int_equal(sync_is_ok(status), err.code == SYNC_CODE_NONE);
    return err;
}

#define NEW_TEXT "{'type':'record','name':'R','fields':[{'name':'i','type':'long'}]}"
#define OLD_TEXT                                                                                   \
    "{'type':'record','name':'R','fields':[{'name':'i','type':'int'},{'name':'gone','type':"       \
    "'string'}]}"
#define WRONG_TEXT "{'type':'record','name':'R','fields':[{'name':'i','type':'string'}]}"
#define OTHER_TEXT "{'type':'record','name':'R','fields':[{'name':'f%d','type':'int'}]}"

static void each_writer_has_its_own_plan_and_a_failed_one_is_remembered(void **state)
{
    (void)state;
    struct versions versions;
    open_versions(&versions, 1);
    for (int round = 0; round < 3; round++) {
        int64_t number = 0;
        struct sync_error err = decode_as(&versions, NEW_TEXT, sync_bytes_text("\x06"), &number);
        assert_int_equal(err.code, SYNC_CODE_NONE);
        assert_int_equal(number, 3);
        err = decode_as(&versions, OLD_TEXT, sync_bytes_text("\x08\x02x"), &number);
        assert_int_equal(err.code, SYNC_CODE_NONE);
        assert_int_equal(number, 4);
        err = decode_as(&versions, WRONG_TEXT, sync_bytes_text("\x02x"), &number);
        assert_int_equal(err.class, SYNC_CLASS_PARK);
        assert_int_equal(err.code, SYNC_CODE_SCHEMA_MISMATCH);
        assert_string_equal(err.field, "i");
        char text[128];
        (void)snprintf(text, sizeof text, OTHER_TEXT, 0);
        err = decode_as(&versions, text, sync_bytes_text("\x02"), &number);
        assert_int_equal(err.code, SYNC_CODE_NONE);
        assert_int_equal(number, 7); /* the default */
    }
    close_versions(&versions);
}

static void writers_beyond_the_bound_are_parked(void **state)
{
    (void)state;
    struct versions versions;
    int64_t number = 0;
    open_versions(&versions, SYNC_DECODER_WRITERS_MAX);
    for (int i = 0; i < SYNC_DECODER_WRITERS_MAX; i++) {
        char text[128];
        (void)snprintf(text, sizeof text, OTHER_TEXT, i);
        struct sync_error err = decode_as(&versions, text, sync_bytes_text("\x02"), &number);
        /* One place is the reader's own. */
        bool fits = i < SYNC_DECODER_WRITERS_MAX - 1;
        assert_int_equal(err.code, fits ? SYNC_CODE_NONE : SYNC_CODE_SCHEMA_UNKNOWN);
    }
    assert_int_equal(decode_as(&versions, NEW_TEXT, sync_bytes_text("\x02"), &number).code,
                     SYNC_CODE_NONE);
    close_versions(&versions);
}

static void decoding_is_fast(void **state)
{
    struct world *world = *state;
    struct status_change change = example();
    struct sync_bytes value = encode(world, &change);
    struct timespec start;
    struct timespec end;
    const int rounds = 200000;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &start);
    for (int i = 0; i < rounds; i++) {
        sync_status status = sync_decoder_decode(world->decoder, value, &change, NULL);
        assert_true(sync_is_ok(status));
    }
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
    double seconds =
        (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9;
    /* The bar is for a release build on a quiet machine; here only a lost order of magnitude fails.
     */
    print_message("decoded %.2f million values per CPU second\n", rounds / seconds / 1e6);
    assert_true(rounds / seconds > 20000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_change_comes_back_equal),
        cmocka_unit_test(a_change_without_its_nullable_fields_comes_back_equal),
        cmocka_unit_test(a_value_begins_with_the_frame_of_the_protocol),
        cmocka_unit_test(broken_frames_are_parked_with_their_code),
        cmocka_unit_test(every_prefix_and_every_longer_value_is_parked),
        cmocka_unit_test(every_changed_byte_ends_in_a_value_or_a_parked_one),
        cmocka_unit_test(an_oversized_value_is_parked),
        cmocka_unit_test(uuids_are_read_in_either_case_and_nothing_else),
        cmocka_unit_test(what_cannot_be_encoded_is_refused_with_its_code),
        cmocka_unit_test(a_processor_that_does_not_fit_its_schema_does_not_start),
        cmocka_unit_test(each_writer_has_its_own_plan_and_a_failed_one_is_remembered),
        cmocka_unit_test(writers_beyond_the_bound_are_parked),
        cmocka_unit_test(decoding_is_fast),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
