/*
 * Shows that our decoder and encoder agree with avro-c on valid data: random values of a schema
 * with every type, and random status changes, are written by one and read by both. SYNC_TEST_SEED
 * and SYNC_TEST_ROUNDS repeat a run.
 */
#include "runtime/schema.h"

#include <altinn_sync/correspondence_status.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include <avro.h>

#define ROUNDS       50000 /* of each of the two tests */
#define FRAME_BYTES  10
#define BUFFER_BYTES 65536

static uint64_t seed;
static int rounds = ROUNDS;

static uint64_t draw(uint64_t *random)
{
    *random += 0x9E3779B97F4A7C15u;
    uint64_t x = *random;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return x ^ x >> 31;
}

static uint64_t below(uint64_t *random, uint64_t bound)
{
    return draw(random) % bound;
}

/* Every width of a varint is as likely as the others. */
static int64_t draw_long(uint64_t *random)
{
    uint64_t bits = draw(random) >> below(random, 64);
    return (int64_t)(below(random, 2) == 0 ? bits : 0 - bits);
}

static int32_t draw_int(uint64_t *random)
{
    uint32_t bits = (uint32_t)draw(random) >> below(random, 32);
    return (int32_t)(below(random, 2) == 0 ? bits : 0 - bits);
}

static size_t draw_text(uint64_t *random, char *ret_text, size_t pieces_max)
{
    static const char *const pieces[] = {"a", "Z", " ", "\x7F", "å", "€", "😀", "\x01", "\"", "\\"};
    size_t size = 0;
    for (size_t i = below(random, pieces_max + 1); i > 0; i--) {
        const char *piece = pieces[below(random, sizeof pieces / sizeof pieces[0])];
        memcpy(ret_text + size, piece, strlen(piece));
        size += strlen(piece);
    }
    ret_text[size] = '\0';
    return size;
}

/* Random values of any schema. */

static void fill(uint64_t *random, avro_value_t *value);

static void fill_items(uint64_t *random, avro_value_t *value)
{
    avro_value_t child;
    for (uint64_t i = below(random, 4); i > 0; i--) {
        char key[64];
        (void)draw_text(random, key, 3);
        if (avro_value_get_type(value) == AVRO_MAP) {
            assert_int_equal(avro_value_add(value, key, &child, NULL, NULL), 0);
        } else {
            assert_int_equal(avro_value_append(value, &child, NULL), 0);
        }
        fill(random, &child);
    }
}

static void fill_parts(uint64_t *random, avro_value_t *value)
{
    avro_value_t child;
    size_t count = 0;
    if (avro_value_get_type(value) == AVRO_UNION) {
        count = avro_schema_union_size(avro_value_get_schema(value));
        assert_int_equal(avro_value_set_branch(value, (int)below(random, count), &child), 0);
        fill(random, &child);
        return;
    }
    assert_int_equal(avro_value_get_size(value, &count), 0);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(avro_value_get_by_index(value, i, &child, NULL), 0);
        fill(random, &child);
    }
}

static int fill_scalar(uint64_t *random, avro_value_t *value)
{
    char text[256];
    avro_schema_t schema = avro_value_get_schema(value);
    uint64_t bits = draw(random);
    memcpy(text, &bits, sizeof bits);
    switch (avro_value_get_type(value)) {
    case AVRO_NULL:
        return avro_value_set_null(value);
    case AVRO_BOOLEAN:
        return avro_value_set_boolean(value, (int)below(random, 2));
    case AVRO_INT32:
        return avro_value_set_int(value, draw_int(random));
    case AVRO_INT64:
        return avro_value_set_long(value, draw_long(random));
    case AVRO_FLOAT:
        return avro_value_set_float(value, (float)draw_int(random) / 7);
    case AVRO_DOUBLE:
        return avro_value_set_double(value, (double)draw_long(random) / 7);
    case AVRO_STRING:
        (void)draw_text(random, text, 40);
        return avro_value_set_string(value, text);
    case AVRO_BYTES:
        return avro_value_set_bytes(value, text, below(random, sizeof bits + 1));
    case AVRO_FIXED:
        return avro_value_set_fixed(value, text, (size_t)avro_schema_fixed_size(schema));
    case AVRO_ENUM:
        return avro_value_set_enum(
            value, (int)below(random, (uint64_t)avro_schema_enum_number_of_symbols(schema)));
    case AVRO_MAP:
    case AVRO_ARRAY:
    case AVRO_RECORD:
    case AVRO_UNION:
    case AVRO_LINK:
        break;
    }
    return -1;
}

static void fill(uint64_t *random, avro_value_t *value)
{
    avro_type_t type = avro_value_get_type(value);
    if (type == AVRO_MAP || type == AVRO_ARRAY) {
        fill_items(random, value);
        return;
    }
    if (type == AVRO_RECORD || type == AVRO_UNION) {
        fill_parts(random, value);
        return;
    }
    assert_int_equal(fill_scalar(random, value), 0);
}

/* Reads of the oracle's value by path; the value of a union is that of its branch. */

static avro_value_t at(const avro_value_t *value, const char *path)
{
    avro_value_t here = *value;
    char name[32];
    while (path[0] != '\0') {
        size_t size = strcspn(path, ".");
        avro_value_t child;
        (void)snprintf(name, sizeof name, "%.*s", (int)size, path);
        assert_int_equal(avro_value_get_by_name(&here, name, &child, NULL), 0);
        path += size + (path[size] == '.');
        if (avro_value_get_type(&child) == AVRO_UNION) {
            assert_int_equal(avro_value_get_current_branch(&child, &here), 0);
        } else {
            here = child;
        }
    }
    return here;
}

static bool is_null(const avro_value_t *value, const char *path)
{
    avro_value_t here = at(value, path);
    return avro_value_get_type(&here) == AVRO_NULL;
}

static int64_t long_at(const avro_value_t *value, const char *path)
{
    avro_value_t here = at(value, path);
    int64_t wide = 0;
    int32_t narrow = 0;
    int small = 0;
    if (avro_value_get_type(&here) == AVRO_INT64) {
        assert_int_equal(avro_value_get_long(&here, &wide), 0);
        return wide;
    }
    if (avro_value_get_type(&here) == AVRO_INT32) {
        assert_int_equal(avro_value_get_int(&here, &narrow), 0);
        return narrow;
    }
    if (avro_value_get_type(&here) == AVRO_ENUM) {
        assert_int_equal(avro_value_get_enum(&here, &small), 0);
        return small;
    }
    assert_int_equal(avro_value_get_boolean(&here, &small), 0);
    return small;
}

static void assert_text_at(const avro_value_t *value, const char *path, struct sync_bytes text)
{
    avro_value_t here = at(value, path);
    const char *other = NULL;
    size_t size = 0;
    assert_int_equal(avro_value_get_string(&here, &other, &size), 0);
    assert_true(sync_bytes_equal(text, (struct sync_bytes){(const uint8_t *)other, size - 1}));
}

static void assert_uuid_at(const avro_value_t *value, const char *path, const struct sync_uuid *id)
{
    char text[SYNC_UUID_BUFFER];
    sync_uuid_format(id, text);
    assert_text_at(value, path, sync_bytes_text(text));
}

/* A schema with every type, of which rows read the scalars and the decoder skips the rest. */

static const char zoo_text[] =
    "{'type':'record','name':'Zoo','fields':["
    "{'name':'b','type':'boolean'},{'name':'i','type':'int'},{'name':'l','type':'long'},"
    "{'name':'f','type':'float'},{'name':'d','type':'double'},{'name':'s','type':'string'},"
    "{'name':'y','type':'bytes'},{'name':'x','type':{'type':'fixed','name':'X','size':5}},"
    "{'name':'e','type':{'type':'enum','name':'E','symbols':['A','B','C']}},"
    "{'name':'n','type':'null'},{'name':'u','type':['null','string','long','X']},"
    "{'name':'a','type':{'type':'array','items':'int'}},"
    "{'name':'z','type':{'type':'array','items':'null'}},"
    "{'name':'m','type':{'type':'map','values':'string'}},"
    "{'name':'r','type':{'type':'record','name':'Inner','fields':["
    "{'name':'k','type':'int'},{'name':'t','type':'string'}]}},"
    "{'name':'o','type':['null','Inner']},"
    "{'name':'deep','type':{'type':'array','items':{'type':'map','values':['null','Inner',"
    "{'type':'array','items':'E'}]}}},"
    "{'name':'q','type':['long','null']},{'name':'last','type':'long'}]}";

struct zoo {
    bool b, has_o, has_q;
    int32_t i, e, r_k, o_k;
    int64_t l, q, last;
    double f, d;
    struct sync_bytes s, r_t, o_t;
};

#define AT(member) offsetof(struct zoo, member)
#define REQUIRED   SYNC_FIELD_REQUIRED
static const char *const letters[] = {"A", "B", "C", NULL};
static const struct sync_field zoo_rows[] = {
    {"b", SYNC_FIELD_BOOL, AT(b), REQUIRED, NULL, 0},
    {"i", SYNC_FIELD_INT, AT(i), REQUIRED, NULL, 0},
    {"l", SYNC_FIELD_LONG, AT(l), REQUIRED, NULL, 0},
    {"f", SYNC_FIELD_DOUBLE, AT(f), REQUIRED, NULL, 0},
    {"d", SYNC_FIELD_DOUBLE, AT(d), REQUIRED, NULL, 0},
    {"s", SYNC_FIELD_TEXT, AT(s), REQUIRED, NULL, 0},
    {"e", SYNC_FIELD_ENUM, AT(e), REQUIRED, letters, 0},
    {"r.k", SYNC_FIELD_INT, AT(r_k), REQUIRED, NULL, 0},
    {"r.t", SYNC_FIELD_TEXT, AT(r_t), REQUIRED, NULL, 0},
    {"o", SYNC_FIELD_PRESENCE, AT(has_o), REQUIRED, NULL, 0},
    {"o.k", SYNC_FIELD_INT, AT(o_k), REQUIRED, NULL, 0},
    {"o.t", SYNC_FIELD_TEXT, AT(o_t), REQUIRED, NULL, 0},
    {"q", SYNC_FIELD_LONG, AT(q), AT(has_q), NULL, 0},
    {"last", SYNC_FIELD_LONG, AT(last), REQUIRED, NULL, 0},
};

static void assert_zoo_equal(const struct zoo *zoo, const avro_value_t *value)
{
    float narrow = 0;
    double wide = 0;
    avro_value_t here = at(value, "f");
    assert_int_equal(avro_value_get_float(&here, &narrow), 0);
    assert_true(zoo->f == (double)narrow);
    here = at(value, "d");
    assert_int_equal(avro_value_get_double(&here, &wide), 0);
    assert_true(zoo->d == wide);
    assert_int_equal(zoo->b, long_at(value, "b"));
    assert_int_equal(zoo->i, long_at(value, "i"));
    assert_int_equal(zoo->l, long_at(value, "l"));
    assert_text_at(value, "s", zoo->s);
    assert_int_equal(zoo->e, long_at(value, "e"));
    assert_int_equal(zoo->r_k, long_at(value, "r.k"));
    assert_text_at(value, "r.t", zoo->r_t);
    assert_int_equal(zoo->has_o, !is_null(value, "o"));
    if (zoo->has_o) {
        assert_int_equal(zoo->o_k, long_at(value, "o.k"));
        assert_text_at(value, "o.t", zoo->o_t);
    }
    assert_int_equal(zoo->has_q, !is_null(value, "q"));
    assert_int_equal(zoo->q, zoo->has_q ? long_at(value, "q") : 0);
    assert_int_equal(zoo->last, long_at(value, "last"));
}

static void values_of_every_type_are_read_as_avro_reads_them(void **state)
{
    (void)state;
    char text[sizeof zoo_text];
    for (size_t i = 0; i < sizeof text; i++) {
        text[i] = zoo_text[i] == '\'' ? '"' : zoo_text[i];
    }
    struct sync_schema *schema = NULL;
    struct sync_plan *plan = NULL;
    struct sync_error err = {0};
    assert_true(sync_is_ok(sync_schema_new(sync_bytes_text(text), &schema, &err)));
    assert_true(
        sync_is_ok(sync_plan_new(schema, schema, zoo_rows, sizeof zoo_rows / sizeof zoo_rows[0],
                                 sizeof(struct zoo), &plan, &err)));
    avro_schema_t oracle = NULL;
    assert_int_equal(avro_schema_from_json_length(text, strlen(text), &oracle), 0);
    avro_value_iface_t *iface = avro_generic_class_from_schema(oracle);
    avro_value_t value;
    assert_int_equal(avro_generic_value_new(iface, &value), 0);
    static char buffer[BUFFER_BYTES];
    avro_writer_t writer = avro_writer_memory(buffer, sizeof buffer);
    uint64_t random = seed;
    for (int i = 0; i < rounds; i++) {
        assert_int_equal(avro_value_reset(&value), 0);
        fill(&random, &value);
        avro_writer_reset(writer);
        assert_int_equal(avro_value_write(writer, &value), 0);
        struct sync_bytes datum = {(uint8_t *)buffer, (size_t)avro_writer_tell(writer)};
        struct zoo zoo;
        if (!sync_is_ok(sync_datum_decode(plan, datum, &zoo, &err))) {
            fail_msg("round %d: %s", i, err.text);
        }
        assert_zoo_equal(&zoo, &value);
    }
    avro_writer_free(writer);
    avro_value_decref(&value);
    avro_value_iface_decref(iface);
    avro_schema_decref(oracle);
    sync_plan_free(&plan);
    sync_schema_free(&schema);
}

/* Status changes: our encoder writes, both read, avro-c writes again. */

static void draw_uuid(uint64_t *random, struct sync_uuid *ret_id)
{
    for (size_t i = 0; i < sizeof ret_id->bytes; i++) {
        ret_id->bytes[i] = (uint8_t)draw(random);
    }
}

static struct status_source draw_source(uint64_t *random, char *text)
{
    size_t size = draw_text(random, text, 16);
    return (struct status_source){
        (int32_t)below(random, 2), {(uint8_t *)text, size}, draw_long(random)};
}

static struct status_change draw_change(uint64_t *random, char texts[2][80])
{
    struct status_change change;
    memset(&change, 0, sizeof change);
    change.source = draw_source(random, texts[0]);
    change.has_origin = below(random, 2) == 0;
    change.origin = draw_source(random, texts[1]);
    change.has_altinn2_id = below(random, 2) == 0;
    change.altinn2_id = draw_int(random);
    change.has_altinn3_id = below(random, 2) == 0;
    draw_uuid(random, &change.altinn3_id);
    change.mode = (int32_t)below(random, 2);
    change.captured_at_us = draw_long(random);
    change.written_by_sync = below(random, 2) == 0;
    change.kind = draw_int(random);
    change.occurred_at_us = draw_long(random);
    draw_uuid(random, &change.party);
    change.has_user = below(random, 2) == 0;
    draw_uuid(random, &change.user);
    change.has_altinn2_party = below(random, 2) == 0;
    change.altinn2_party_id = draw_int(random);
    return change;
}

static void assert_change_equal(const struct status_change *change, const avro_value_t *value)
{
    assert_int_equal(change->source.system, long_at(value, "source.system"));
    assert_text_at(value, "source.stream", change->source.stream);
    assert_int_equal(change->source.sequence, long_at(value, "source.sequence"));
    assert_int_equal(change->has_origin, !is_null(value, "origin"));
    if (change->has_origin) {
        assert_int_equal(change->origin.system, long_at(value, "origin.system"));
        assert_text_at(value, "origin.stream", change->origin.stream);
        assert_int_equal(change->origin.sequence, long_at(value, "origin.sequence"));
    }
    assert_int_equal(change->has_altinn2_id, !is_null(value, "altinn2_id"));
    if (change->has_altinn2_id) {
        assert_int_equal(change->altinn2_id, long_at(value, "altinn2_id"));
    }
    assert_int_equal(change->has_altinn3_id, !is_null(value, "altinn3_id"));
    if (change->has_altinn3_id) {
        assert_uuid_at(value, "altinn3_id", &change->altinn3_id);
    }
    assert_int_equal(change->mode, long_at(value, "mode"));
    assert_int_equal(change->captured_at_us, long_at(value, "captured_at_us"));
    assert_int_equal(change->written_by_sync, long_at(value, "written_by_sync"));
    assert_int_equal(change->kind, long_at(value, "kind"));
    assert_int_equal(change->occurred_at_us, long_at(value, "occurred_at_us"));
    assert_uuid_at(value, "party_uuid", &change->party);
    assert_int_equal(change->has_user, !is_null(value, "user_uuid"));
    if (change->has_user) {
        assert_uuid_at(value, "user_uuid", &change->user);
    }
    assert_int_equal(change->has_altinn2_party, !is_null(value, "altinn2_party_id"));
    if (change->has_altinn2_party) {
        assert_int_equal(change->altinn2_party_id, long_at(value, "altinn2_party_id"));
    }
}

/* One side of the comparison: the oracle's value, reader and writer. */
struct oracle {
    avro_schema_t schema;
    avro_value_iface_t *iface;
    avro_value_t value;
    avro_reader_t reader;
    avro_writer_t writer;
    char buffer[BUFFER_BYTES];
};

static void oracle_init(struct oracle *oracle, const struct sync_schema *schema)
{
    struct sync_bytes text = sync_schema_text(schema);
    assert_int_equal(
        avro_schema_from_json_length((const char *)text.data, text.size, &oracle->schema), 0);
    oracle->iface = avro_generic_class_from_schema(oracle->schema);
    assert_int_equal(avro_generic_value_new(oracle->iface, &oracle->value), 0);
    oracle->reader = avro_reader_memory(oracle->buffer, 0);
    oracle->writer = avro_writer_memory(oracle->buffer, sizeof oracle->buffer);
}

static void oracle_done(struct oracle *oracle)
{
    avro_writer_free(oracle->writer);
    avro_reader_free(oracle->reader);
    avro_value_decref(&oracle->value);
    avro_value_iface_decref(oracle->iface);
    avro_schema_decref(oracle->schema);
}

static void compare(struct oracle *oracle, struct sync_decoder *decoder,
                    const struct status_change *change, struct sync_bytes framed)
{
    struct sync_bytes datum = {framed.data + FRAME_BYTES, framed.size - FRAME_BYTES};
    assert_int_equal(avro_value_reset(&oracle->value), 0);
    avro_reader_memory_set_source(oracle->reader, (const char *)datum.data, (int64_t)datum.size);
    assert_int_equal(avro_value_read(oracle->reader, &oracle->value), 0);
    assert_change_equal(change, &oracle->value);
    struct status_change back;
    struct sync_error err = {0};
    if (!sync_is_ok(sync_decoder_decode(decoder, framed, &back, &err))) {
        fail_msg("%s", err.text);
    }
    assert_change_equal(&back, &oracle->value);
    avro_writer_reset(oracle->writer);
    assert_int_equal(avro_value_write(oracle->writer, &oracle->value), 0);
    assert_int_equal((size_t)avro_writer_tell(oracle->writer), datum.size);
    assert_memory_equal(oracle->buffer, datum.data, datum.size);
}

static void status_changes_are_read_and_written_as_avro_does(void **state)
{
    (void)state;
    static struct oracle oracle;
    static uint8_t memory[4096];
    const struct sync_processor *processor = &sync_processor_correspondence_status;
    struct sync_schema_set *set = NULL;
    struct sync_decoder *decoder = NULL;
    struct sync_error err = {0};
    assert_true(sync_is_ok(sync_schema_set_new(SYNC_SOURCE_DIR "/schemas", &set, &err)));
    assert_true(sync_is_ok(sync_decoder_new(set, processor, &decoder, &err)));
    const struct sync_schema *schema = sync_schema_set_find(set, processor->schema);
    oracle_init(&oracle, schema);
    struct sync_arena arena;
    uint64_t random = seed;
    for (int i = 0; i < rounds; i++) {
        char texts[2][80];
        struct status_change change = draw_change(&random, texts);
        struct sync_bytes framed;
        sync_arena_init(&arena, memory, sizeof memory);
        if (!sync_is_ok(sync_encode(schema, processor, &change, &arena, &framed, &err))) {
            fail_msg("round %d: %s", i, err.text);
        }
        compare(&oracle, decoder, &change, framed);
    }
    oracle_done(&oracle);
    sync_decoder_free(&decoder);
    sync_schema_set_free(&set);
}

int main(void)
{
    const char *given = getenv("SYNC_TEST_SEED");
    seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    given = getenv("SYNC_TEST_ROUNDS");
    rounds = given != NULL ? atoi(given) / 2 : ROUNDS;
    print_message("SYNC_TEST_SEED=%llu SYNC_TEST_ROUNDS=%d\n", (unsigned long long)seed,
                  rounds * 2);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_of_every_type_are_read_as_avro_reads_them),
        cmocka_unit_test(status_changes_are_read_and_written_as_avro_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
