/*
 * Any bytes as a schema; what passes the checks is fingerprinted, compiled against itself and
 * against the schema of status changes, and the bytes behind the first NUL are decoded by the
 * plans. Every end is a plan or a clear error, within bounds.
 */
#include "budget.h"

#include "core/limits.h"
#include "runtime/schema.h"

#include <altinn_sync/correspondence_status.h>

#include <stdio.h>
#include <stdlib.h>

/* A schema is no record: it comes with the program, and its bounds are those of the whole process.
 */
#define BYTES_MAX  (64 * 1024 * 1024)
#define CPU_US_MAX 2000000

static const struct sync_processor *const processor = &sync_processor_correspondence_status;
static struct sync_schema_set *set;
static const struct sync_schema *reader;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    struct sync_error err = {0};
    if (!sync_is_ok(sync_schema_set_new(SYNC_SOURCE_DIR "/schemas", &set, &err))) {
        (void)fprintf(stderr, "%s\n", err.text);
        abort();
    }
    reader = sync_schema_set_find(set, processor->schema);
    return 0;
}

static void run_plan(const struct sync_schema *writer, const struct sync_schema *other,
                     size_t row_count, struct sync_bytes datum)
{
    struct sync_plan *plan = NULL;
    struct sync_error err = {0};
    sync_status status = sync_plan_new(writer, other, processor->fields, row_count,
                                       processor->change_size, &plan, &err);
    FUZZ_CHECK(sync_is_ok(status) == (plan != NULL));
    if (plan == NULL) {
        FUZZ_CHECK(status.class == SYNC_CLASS_PARK && err.code == SYNC_CODE_SCHEMA_MISMATCH);
        return;
    }
    struct status_change change;
    status = sync_datum_decode(plan, datum, &change, &err);
    FUZZ_CHECK(status.class == SYNC_CLASS_OK || status.class == SYNC_CLASS_PARK);
    sync_plan_free(&plan);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size > 0 ? memchr(data, '\0', size) : NULL;
    size_t text_size = end != NULL ? (size_t)(end - data) : size;
    struct sync_bytes datum = {NULL, 0};
    if (end != NULL) {
        datum = (struct sync_bytes){end + 1, size - text_size - 1};
    }
    struct sync_schema *schema = NULL;
    struct sync_error err = {0};
    struct budget budget;
    budget_begin(&budget);
    sync_status status = sync_schema_new((struct sync_bytes){data, text_size}, &schema, &err);
    if (sync_is_ok(status)) {
        FUZZ_CHECK(sync_schema_name(schema)[0] != '\0');
        /* With itself it always fits; as an older or newer status change perhaps. */
        run_plan(schema, schema, 0, datum);
        run_plan(schema, reader, processor->field_count, datum);
        run_plan(reader, schema, processor->field_count, datum);
    } else {
        FUZZ_CHECK(status.class == SYNC_CLASS_FATAL && err.code == SYNC_CODE_SCHEMA_INVALID);
        FUZZ_CHECK(schema == NULL && err.text[0] != '\0');
    }
    sync_schema_free(&schema);
    budget_end(&budget, CPU_US_MAX, BYTES_MAX);
    return 0;
}
