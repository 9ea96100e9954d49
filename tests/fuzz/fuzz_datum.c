/*
 * Any bytes as a Kafka value and as a datum of three schemas: every end is a value or a parked
 * record, within 10 ms and without memory; a status change that is read is written back to the same
 * bytes.
 */
#include "budget.h"

#include "core/limits.h"
#include "runtime/schema.h"

#include <altinn_sync/correspondence_status.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#define FAILURE_BYTES_MAX (64 * 1024)
#define CPU_US_MAX        10000
#define FRAME_BYTES       10

/* Every type, read by nothing: all of it is skipped. */
static const char skipped_text[] =
    "{\"type\":\"record\",\"name\":\"Skipped\",\"fields\":["
    "{\"name\":\"y\",\"type\":\"bytes\"},"
    "{\"name\":\"x\",\"type\":{\"type\":\"fixed\",\"name\":\"X\",\"size\":5}},"
    "{\"name\":\"d\",\"type\":[\"null\",\"double\",\"float\",\"boolean\"]},"
    "{\"name\":\"z\",\"type\":{\"type\":\"array\",\"items\":\"null\"}},"
    "{\"name\":\"m\",\"type\":{\"type\":\"map\",\"values\":[\"null\",\"string\",\"X\"]}},"
    "{\"name\":\"a\",\"type\":{\"type\":\"array\",\"items\":{\"type\":\"map\",\"values\":"
    "{\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":\"I\",\"fields\":["
    "{\"name\":\"e\",\"type\":{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\"]}},"
    "{\"name\":\"n\",\"type\":{\"type\":\"array\",\"items\":\"long\"}}]}}}}}]}";

/* An older writer of a status change: other order and types, a field more, two fewer. */
static const char older_text[] =
    "{\"type\":\"record\",\"name\":\"StatusChange\",\"namespace\":\"no.altinn.sync\",\"fields\":["
    "{\"name\":\"kind\",\"type\":\"int\"},"
    "{\"name\":\"captured_at_us\",\"type\":\"int\"},{\"name\":\"occurred_at_us\",\"type\":\"long\"}"
    ","
    "{\"name\":\"more\",\"type\":{\"type\":\"map\",\"values\":[\"null\",\"bytes\"]}},"
    "{\"name\":\"source\",\"type\":{\"type\":\"record\",\"name\":\"Source\",\"fields\":["
    "{\"name\":\"sequence\",\"type\":\"int\"},{\"name\":\"stream\",\"type\":\"bytes\"},"
    "{\"name\":\"system\",\"type\":{\"type\":\"enum\",\"name\":\"System\",\"symbols\":"
    "[\"OTHER\",\"ALTINN3\",\"ALTINN2\"]}}]}},"
    "{\"name\":\"origin\",\"type\":[\"Source\",\"string\",\"null\"]},"
    "{\"name\":\"altinn2_id\",\"type\":[\"int\",\"null\"]},"
    "{\"name\":\"altinn3_id\",\"type\":\"string\"},"
    "{\"name\":\"mode\",\"type\":{\"type\":\"enum\",\"name\":\"Mode\",\"symbols\":[\"HISTORY\"]}},"
    "{\"name\":\"party_uuid\",\"type\":\"bytes\"},{\"name\":\"user_uuid\",\"type\":\"null\"}]}";

static const struct sync_processor *const processor = &sync_processor_correspondence_status;
static struct sync_schema_set *set;
static struct sync_decoder *decoder;
static const struct sync_schema *reader;
static struct sync_plan *skipping, *evolving;

static void must(sync_status status, const struct sync_error *err)
{
    if (!sync_is_ok(status)) {
        (void)fprintf(stderr, "%s\n", err->text);
        abort();
    }
}

static struct sync_plan *plan_of(const char *text, const struct sync_schema *other)
{
    struct sync_schema *writer = NULL;
    struct sync_plan *plan = NULL;
    struct sync_error err = {0};
    must(sync_schema_new(sync_bytes_text(text), &writer, &err), &err);
    must(sync_plan_new(writer, other != NULL ? other : writer, processor->fields,
                       other != NULL ? processor->field_count : 0, processor->change_size, &plan,
                       &err),
         &err);
    sync_schema_free(&writer);
    return plan;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    struct sync_error err = {0};
    must(sync_schema_set_new(SYNC_SOURCE_DIR "/schemas", &set, &err), &err);
    must(sync_decoder_new(set, processor, &decoder, &err), &err);
    reader = sync_schema_set_find(set, processor->schema);
    skipping = plan_of(skipped_text, NULL);
    evolving = plan_of(older_text, reader);
    return 0;
}

static void check_end(sync_status status, const struct sync_error *err)
{
    FUZZ_CHECK(status.class == SYNC_CLASS_OK || status.class == SYNC_CLASS_PARK);
    FUZZ_CHECK(sync_is_ok(status) || (err->code != SYNC_CODE_NONE && err->text[0] != '\0'));
}

/* One value has one form, but for the case of its UUIDs. */
static void check_same_bytes(const struct status_change *change, struct sync_bytes value)
{
    static uint8_t memory[4096];
    struct sync_arena arena;
    struct sync_bytes back;
    struct sync_error err = {0};
    sync_arena_init(&arena, memory, sizeof memory);
    must(sync_encode(reader, processor, change, &arena, &back, &err), &err);
    FUZZ_CHECK(back.size == value.size);
    for (size_t i = 0; i < value.size; i++) {
        FUZZ_CHECK(tolower(back.data[i]) == tolower(value.data[i]));
    }
}

static void run_plan(const struct sync_plan *plan, struct sync_bytes datum)
{
    struct status_change change;
    struct sync_error err = {0};
    struct budget budget;
    budget_begin(&budget);
    sync_status status = sync_datum_decode(plan, datum, &change, &err);
    budget_end(&budget, CPU_US_MAX, 0);
    check_end(status, &err);
}

static void run_value(struct sync_bytes value)
{
    struct status_change change;
    struct sync_error err = {0};
    struct budget budget;
    budget_begin(&budget);
    sync_status status = sync_decoder_decode(decoder, value, &change, &err);
    budget_end(&budget, CPU_US_MAX, FAILURE_BYTES_MAX);
    check_end(status, &err);
    if (sync_is_ok(status)) {
        check_same_bytes(&change, value);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    run_value((struct sync_bytes){data, size});
    run_plan(skipping, (struct sync_bytes){data, size});
    run_plan(evolving, (struct sync_bytes){data, size});
    return 0;
}
