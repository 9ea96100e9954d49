/*
 * Any bytes as the body of a call about delegations, and as a page of the role feed: every end is a
 * call within its bounds, or a refusal that names the place. What was read becomes records in the
 * memory that the capture takes for them, and what was not understood is never a grant. The first
 * byte says which call.
 */
#include "budget.h"

#include "../../connectors/altinn2/delegation_feed_page.h"
#include "../../connectors/altinn2/delegation_plan.h"
#include "../../connectors/delegation_record.h"

#include <core/limits.h>
#include <runtime/schema.h>
#include <stdio.h>
#include <stdlib.h>

#define CPU_US_MAX 200000 /* grouping compares 512 rules with each other */
#define MEMORY_MAX (32 * 1024 * 1024)

typedef sync_status parser(struct sync_bytes body, const struct receiver_place *place,
                           void **ret_content, struct sync_error *err);
static parser *const parsers[] = {delegation_call_parse_add,       delegation_call_parse_delete,
                                  delegation_call_parse_clear,     delegation_call_parse_message,
                                  delegation_call_parse_unmessage, delegation_call_parse_begin,
                                  delegation_call_parse_end};
#define PARSERS (sizeof parsers / sizeof parsers[0]) /* the number behind them is the feed's */

static const struct delegation_own own = {.user_id = 7, .party = {{7}}};
static const struct sync_schema *schema;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static struct sync_schema_set *set;
    struct sync_error err = {0};
    (void)argc;
    (void)argv;
    FUZZ_CHECK(sync_is_ok(sync_schema_set_new(SYNC_SOURCE_DIR "/schemas", &set, &err)));
    schema = sync_schema_set_find(set, sync_processor_delegation.schema);
    FUZZ_CHECK(schema != NULL);
    return 0;
}

static void check_refusal(sync_status status, const struct sync_error *err)
{
    FUZZ_CHECK(status.class == SYNC_CLASS_PARK || err->code == SYNC_CODE_MEMORY_LIMIT);
    FUZZ_CHECK(err->text[0] != '\0');
}

/* A record that cannot be made stops a feed, or is answered 500. */
static void check_record(struct delegation_change change, struct sync_arena *arena)
{
    struct delegation_record *record = sync_arena_take(arena, sizeof *record);
    struct sync_error err = {0};
    FUZZ_CHECK(record != NULL);
    change.stream = sync_bytes_text("a2.message.2147483647");
    FUZZ_CHECK(sync_is_ok(delegation_record_make(schema, &change, arena, record, &err)));
    FUZZ_CHECK(record->key.size > 0 && record->value.size > 0);
    FUZZ_CHECK(change.op != DELEGATION_GRANT || change.rights.count > 0);
}

static void check_events(const struct delegation_call *call, struct sync_arena *arena)
{
    static size_t group_of[DELEGATION_CALL_ITEMS_MAX];
    struct delegation_making making = {call, &own, arena};
    if (call->sort == DELEGATION_CALL_ADD) {
        size_t groups = delegation_groups(call, &own, group_of);
        FUZZ_CHECK(groups >= 1 && groups <= call->rule_count);
        for (size_t i = 0; i < groups; i++) {
            check_record(delegation_event_of_group(&making, i, group_of), arena);
        }
    }
    for (size_t i = 0; i < call->rule_count && call->sort == DELEGATION_CALL_CLEAR; i++) {
        struct delegation_change change = delegation_event_of_element(&making, i, NULL, 0);
        FUZZ_CHECK(change.op == DELEGATION_REVOKE_ALL);
        check_record(change, arena);
    }
    if (call->sort == DELEGATION_CALL_MESSAGE || call->sort == DELEGATION_CALL_UNMESSAGE) {
        struct delegation_change change = delegation_event_of_message(&making);
        FUZZ_CHECK((change.op == DELEGATION_GRANT) == (call->sort == DELEGATION_CALL_MESSAGE));
        check_record(change, arena);
    }
}

static void run_call(parser *parse, struct sync_bytes body)
{
    const struct receiver_place place = {.is_export = false};
    struct sync_error err = {0};
    void *content = NULL;
    sync_status status = parse(body, &place, &content, &err);
    if (!sync_is_ok(status)) {
        check_refusal(status, &err);
        return;
    }
    const struct delegation_call *call = content;
    size_t size = delegation_plan_size(call);
    uint8_t *memory = malloc(size);
    struct sync_arena arena;
    FUZZ_CHECK(memory != NULL && call->rule_count <= DELEGATION_CALL_ITEMS_MAX);
    FUZZ_CHECK(call->export_rows >= 0);
    sync_arena_init(&arena, memory, size);
    /* What the plan takes beside the events. */
    FUZZ_CHECK(sync_arena_take(&arena, (call->rule_count + 1) * 128) != NULL);
    check_events(call, &arena);
    free(memory);
    free(content);
}

static void run_page(struct sync_bytes body)
{
    struct feed_page *page = NULL;
    struct sync_error err = {0};
    sync_status status = feed_page_parse(body, &own, &page, &err);
    if (!sync_is_ok(status)) {
        check_refusal(status, &err);
        return;
    }
    size_t unknown = 0, size = page->count * DELEGATION_RECORD_BYTES + 64;
    uint8_t *memory = malloc(size);
    struct sync_arena arena;
    FUZZ_CHECK(memory != NULL && page->count <= FEED_PAGE_ITEMS_MAX);
    sync_arena_init(&arena, memory, size);
    for (size_t i = 0; i < page->count; i++) {
        const struct feed_item *item = &page->items[i];
        FUZZ_CHECK(item->id > 0);
        FUZZ_CHECK(!item->unknown || item->change.op == DELEGATION_LIFT);
        unknown += item->unknown;
        check_record(item->change, &arena);
    }
    FUZZ_CHECK(unknown == page->unknown_count);
    free(memory);
    free(page);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct budget budget;
    if (size == 0) {
        return 0;
    }
    size_t which = data[0] % (PARSERS + 1);
    struct sync_bytes body = {data + 1, size - 1};
    budget_begin(&budget);
    if (which < PARSERS) {
        run_call(parsers[which], body);
    } else {
        run_page(body);
    }
    budget_end(&budget, CPU_US_MAX, MEMORY_MAX);
    return 0;
}
