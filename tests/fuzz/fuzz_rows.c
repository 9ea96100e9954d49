/*
 * Any cells as rows of Altinn 3's tables of delegations, several in one transaction: every end is a
 * row whose texts have their end, or a row that stops the source. What a row tells becomes a
 * record. An input is a list of rows: a byte for table and act, then each cell as a byte for its
 * size and its bytes; the sizes 254 and 255 are null and "unchanged".
 */
#include "budget.h"

#include "../../connectors/altinn3/authorization_ids.h"
#include "../../connectors/altinn3/delegation_events.h"
#include "../../connectors/delegation_record.h"

#include <core/utf8.h>
#include <runtime/schema.h>
#include <stdio.h>
#include <stdlib.h>

#define CPU_US_MAX     50000
#define ROWS_MAX       64
#define TABLES_MAX     16
#define CELL_NULL      254
#define CELL_UNCHANGED 255
#define RECORD_BYTES   16384

static const uint32_t type_ids[] = {
    [ROW_UUID] = 2950, [ROW_INTEGER] = 23, [ROW_TIME] = 1184, [ROW_TEXT] = 25};
static const size_t type_sizes[] = {[ROW_UUID] = 16, [ROW_INTEGER] = 4, [ROW_TIME] = 8};

static struct row_plan plans[TABLES_MAX];
static struct pgoutput_message message;
static struct delegation_reader *reader;
static struct delegation_known known;
static const struct sync_schema *schema;
static bool is_text; /* every text so far is one, as PostgreSQL promises */

static void plan_table(size_t index)
{
    const struct row_table *table = &delegation_row_tables.tables[index];
    struct sync_error err = {0};
    bool is_known = false;
    message.relation_id = (uint32_t)index;
    message.schema = sync_bytes_text(table->schema);
    message.name = sync_bytes_text(table->name);
    message.column_count = table->column_count;
    for (size_t i = 0; i < table->column_count; i++) {
        message.columns[i] = (struct pgoutput_column){
            i == 0, sync_bytes_text(table->columns[i].name), type_ids[table->columns[i].type]};
    }
    FUZZ_CHECK(sync_is_ok(
        row_plan_make(&delegation_row_tables, &message, &is_known, &plans[index], &err)));
    FUZZ_CHECK(is_known);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static struct sync_schema_set *set;
    struct sync_error err = {0};
    (void)argc;
    (void)argv;
    FUZZ_CHECK(sync_is_ok(sync_schema_set_new(SYNC_SOURCE_DIR "/schemas", &set, &err)));
    schema = sync_schema_set_find(set, sync_processor_delegation.schema);
    FUZZ_CHECK(schema != NULL && delegation_row_tables.count <= TABLES_MAX);
    FUZZ_CHECK(delegation_known_init(&known, "6d3f8a52-1c07-5b7e-9a41-0e2f4c8b7d10"));
    for (size_t i = 0; i < delegation_row_tables.count; i++) {
        plan_table(i);
    }
    reader = calloc(1, sizeof *reader);
    FUZZ_CHECK(reader != NULL);
    return 0;
}

static size_t take_byte(struct sync_bytes *left)
{
    size_t byte = left->size > 0 ? left->data[0] : 0;
    left->data += left->size > 0;
    left->size -= left->size > 0;
    return byte;
}

static void take_cells(struct sync_bytes *left, const struct row_table *table)
{
    message.row.count = table->column_count;
    for (size_t i = 0; i < table->column_count; i++) {
        struct pgoutput_cell *cell = &message.row.cells[i];
        size_t size = take_byte(left);
        *cell = (struct pgoutput_cell){.kind = size == CELL_NULL        ? PGOUTPUT_NULL
                                               : size == CELL_UNCHANGED ? PGOUTPUT_UNCHANGED
                                                                        : PGOUTPUT_BINARY};
        if (cell->kind != PGOUTPUT_BINARY) {
            continue;
        }
        /* Mostly the size that the type has, or nothing behind the check is ever reached. */
        enum row_type type = table->columns[i].type;
        size = type != ROW_TEXT && size < 200 ? type_sizes[type] : size;
        size = size < left->size ? size : left->size;
        cell->value = (struct sync_bytes){left->data, size};
        is_text = is_text && (type != ROW_TEXT || sync_utf8_is_text(cell->value));
        left->data += size;
        left->size -= size;
    }
}

static void check_text(const char *text, size_t size)
{
    FUZZ_CHECK(memchr(text, '\0', size) != NULL);
}

static void check_row(const struct delegation_row *row)
{
    FUZZ_CHECK(row->kind < DELEGATION_ROW_KIND_COUNT && row->act <= DELEGATION_ROW_CHANGED);
    check_text(row->place.instance, sizeof row->place.instance);
    check_text(row->before.instance, sizeof row->before.instance);
    check_text(row->now.path, sizeof row->now.path);
    check_text(row->now.version, sizeof row->now.version);
    check_text(row->old.path, sizeof row->old.path);
    check_text(row->old.version, sizeof row->old.version);
    check_text(row->stamp.operation, sizeof row->stamp.operation);
}

/* What the desk would have found; which of it, the first bytes of the row decide. */
static void answer_row(const struct delegation_row *row, struct delegation_answer *ret_answer)
{
    memset(ret_answer, 0, sizeof *ret_answer);
    struct delegation_edge *edge = &ret_answer->edge;
    edge->from.bytes[0] = 1;
    edge->to.bytes[0] = 2;
    edge->container = (enum delegation_container)(row->id.bytes[0] % 5);
    (void)snprintf(edge->role, sizeof edge->role, "%s", "hadm");
    ret_answer->edge_before = *edge;
    ret_answer->object.type = (enum delegation_object_type)(row->id.bytes[1] % 3);
    (void)snprintf(ret_answer->object.id, sizeof ret_answer->object.id, "%s", "messages");
    ret_answer->object_before = ret_answer->object;
    (void)snprintf(ret_answer->now.names, sizeof ret_answer->now.names, "%s", "read\nwrite\n");
    (void)snprintf(ret_answer->old.names, sizeof ret_answer->old.names, "%s", "read\nsign\n");
    ret_answer->performer_is_no_user = row->id.bytes[2] % 2 != 0;
}

static void publish(struct delegation_row *row)
{
    static struct delegation_answer answer;
    static uint8_t memory[RECORD_BYTES];
    const char *reason = NULL;
    answer_row(row, &answer);
    if (!delegation_row_counts(row, &answer, &reason)) {
        return;
    }
    struct capture_item item = {.row = row, .answer = &answer, .sequence = 7, .committed_us = 7};
    for (unsigned part = 0; part < DELEGATION_EVENT_PARTS; part++) {
        struct delegation_change change;
        struct delegation_record record;
        struct sync_error err = {0};
        struct sync_arena arena;
        bool present = false;
        sync_arena_init(&arena, memory, sizeof memory);
        FUZZ_CHECK(sync_is_ok(
            delegation_event_make(&known, &item, part, &arena, &present, &change, &err)));
        if (!present) {
            continue;
        }
        change.stream = sync_bytes_text("a3.change.1");
        change.seq = 7;
        change.capture_time_us = 7;
        FUZZ_CHECK(change.op != DELEGATION_GRANT || change.rights.count > 0);
        sync_status status = delegation_record_make(schema, &change, &arena, &record, &err);
        FUZZ_CHECK(sync_is_ok(status) || (!is_text && status.class == SYNC_CLASS_PARK));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct delegation_row row;
    struct sync_bytes left = {data, size};
    struct budget budget;
    is_text = true;
    budget_begin(&budget);
    delegation_reader_begin(reader);
    for (int count = 0; count < ROWS_MAX && left.size > 0; count++) {
        struct sync_error err = {0};
        enum capture_fate fate = CAPTURE_FATE_OTHER;
        size_t which = take_byte(&left);
        const struct row_plan *plan = &plans[which / 2 % delegation_row_tables.count];
        message.type = which % 2 == 0 ? PGOUTPUT_INSERT : PGOUTPUT_UPDATE;
        message.has_old = false;
        take_cells(&left, plan->shape);
        sync_status status = delegation_reader_read(reader, plan, &message, &fate, &row, &err);
        FUZZ_CHECK(sync_is_ok(status) ||
                   (status.class == SYNC_CLASS_FATAL && err.code == SYNC_CODE_PROTOCOL));
        if (!sync_is_ok(status)) {
            break;
        }
        if (fate == CAPTURE_FATE_ROW) {
            check_row(&row);
            publish(&row);
        }
    }
    budget_end(&budget, CPU_US_MAX, 0);
    return 0;
}
