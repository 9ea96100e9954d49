/*
 * Any bytes as a chunk of the replication stream and as one message: every end is a message whose
 * parts lie inside the bytes, or a protocol error, within 10 ms and without memory.
 */
#include "budget.h"

#include "../../connectors/altinn3/pgoutput.h"

#define CPU_US_MAX 10000

static struct pgoutput_message message;

static void check_inside(struct sync_bytes part, struct sync_bytes whole)
{
    if (part.size > 0) {
        FUZZ_CHECK(part.data >= whole.data && part.data + part.size <= whole.data + whole.size);
    }
}

static void check_tuple(const struct pgoutput_tuple *tuple, struct sync_bytes body)
{
    FUZZ_CHECK(tuple->count <= PGOUTPUT_COLUMNS_MAX);
    for (size_t i = 0; i < tuple->count; i++) {
        if (tuple->cells[i].kind == PGOUTPUT_TEXT || tuple->cells[i].kind == PGOUTPUT_BINARY) {
            check_inside(tuple->cells[i].value, body);
        }
    }
}

static void check_message(struct sync_bytes body)
{
    if (message.type == PGOUTPUT_RELATION) {
        check_inside(message.schema, body);
        check_inside(message.name, body);
        FUZZ_CHECK(message.column_count <= PGOUTPUT_COLUMNS_MAX);
        for (size_t i = 0; i < message.column_count; i++) {
            check_inside(message.columns[i].name, body);
        }
    }
    if (message.type == PGOUTPUT_INSERT || message.type == PGOUTPUT_UPDATE) {
        check_tuple(&message.row, body);
    }
    if ((message.type == PGOUTPUT_UPDATE || message.type == PGOUTPUT_DELETE) && message.has_old) {
        check_tuple(&message.old, body);
    }
    if (message.type == PGOUTPUT_MESSAGE) {
        check_inside(message.content, body);
    }
}

static void run_message(struct sync_bytes body)
{
    struct sync_error err = {0};
    struct budget budget;
    budget_begin(&budget);
    sync_status status = pgoutput_message_read(body, &message, &err);
    budget_end(&budget, CPU_US_MAX, 0);
    if (!sync_is_ok(status)) {
        FUZZ_CHECK(status.class == SYNC_CLASS_FATAL && err.code == SYNC_CODE_PROTOCOL);
        return;
    }
    check_message(body);
}

static void run_lsn(struct sync_bytes text)
{
    uint64_t lsn = 0;
    if (pgoutput_lsn_parse(text, &lsn)) {
        char back[PGOUTPUT_LSN_BUFFER];
        uint64_t again = 0;
        pgoutput_lsn_format(lsn, back);
        FUZZ_CHECK(pgoutput_lsn_parse(sync_bytes_text(back), &again) && again == lsn);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sync_bytes chunk = {data, size};
    struct pgoutput_frame frame;
    struct sync_error err = {0};
    run_message(chunk);
    run_lsn(chunk);
    if (sync_is_ok(pgoutput_frame_read(chunk, &frame, &err)) && frame.type == PGOUTPUT_FRAME_DATA) {
        check_inside(frame.body, chunk);
        run_message(frame.body);
    }
    return 0;
}
