/*
 * Shows how the role feed is read: pages, links, and the bookkeeping of ids that are missing. What
 * is not understood becomes a change that the rules park; a link that leads elsewhere is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../connectors/altinn2/delegation_feed_gaps.h"
#include "../../connectors/altinn2/delegation_feed_link.h"
#include "../../connectors/altinn2/delegation_feed_page.h"

#include <stdio.h>
#include <stdlib.h>

#define UUID_A    "7c9e6679-7425-40de-944b-e07fc1f90ae7"
#define UUID_B    "00000000-0000-0000-0000-0000000000aa"
#define OWN_PARTY "11111111-2222-4333-8444-555555555555"
#define BASE      "https://Bridge.example:8443/sblbridge"
#define FEED      BASE "/roledelegationevent/api/getevents"

static struct sync_error err;
static struct delegation_own own = {.user_id = 29999999};

static struct feed_page *reads(const char *body)
{
    struct feed_page *page = NULL;
    memset(&err, 0, sizeof err);
    sync_status status = feed_page_parse(sync_bytes_text(body), &own, &page, &err);
    if (!sync_is_ok(status)) {
        fail_msg("%s\n-> refused: %s at \"%s\"", body, err.text, err.field);
    }
    return page;
}

static void refuses(const char *body, enum sync_code code, const char *pointer)
{
    struct feed_page *page = NULL;
    memset(&err, 0, sizeof err);
    sync_status status = feed_page_parse(sync_bytes_text(body), &own, &page, &err);
    if (status.class != SYNC_CLASS_PARK || err.code != code || strcmp(err.field, pointer) != 0) {
        print_message("%s\n-> class %d, %s at \"%s\": %s\n", body, (int)status.class,
                      sync_code_word(err.code), err.field, err.text);
    }
    assert_int_equal(status.class, SYNC_CLASS_PARK);
    assert_int_equal(err.code, code);
    assert_string_equal(err.field, pointer);
    assert_null(page);
}

/* A page with one event that is given as text behind its number. */
static struct feed_page *reads_item(const char *members)
{
    static char body[4096];
    snprintf(body, sizeof body, "{\"data\":[{\"altinnRoleDelegationEventId\":7,%s}]}", members);
    return reads(body);
}

#define PARTIES                                                                                    \
    "\"fromPartyId\":50001,\"fromPartyUuid\":\"" UUID_A                                            \
    "\",\"toUserId\":20002,\"toPartyId\":50002,"                                                   \
    "\"toUserPartyUuid\":\"" UUID_B "\",\"toUserType\":\"SSNIdentified\""
#define TIME "\"delegationChangeDateTime\":\"2025-03-04T09:00:00.5\""
#define BY   "\"performedByUserId\":20001,\"roleDelegationId\":88"
#define FULL                                                                                       \
    "\"delegationAction\":\"Delegate\",\"roleTypeCode\":\"HADM  \"," PARTIES "," TIME "," BY

static void an_event_is_read(void **state)
{
    (void)state;
    struct feed_page *page = reads_item(FULL);
    const struct feed_item *item = &page->items[0];
    const struct delegation_change *change = &item->change;
    assert_int_equal(page->count, 1);
    assert_int_equal(page->next.size, 0);
    assert_true(item->id == 7 && !item->unknown);
    assert_int_equal(change->kind, DELEGATION_ROLE);
    assert_int_equal(change->op, DELEGATION_GRANT);
    assert_true(sync_bytes_equal(change->target_id, sync_bytes_text("HADM"))); /* no blanks */
    assert_true(change->from.has_uuid && change->from.party_id == 50001);
    assert_true(change->to.has_uuid && change->to.party_id == 50002 && change->to.user_id == 20002);
    assert_true(sync_bytes_equal(change->to.type, sync_bytes_text("SSNIdentified")));
    assert_true(change->has_event_time && change->event_time_us == 1741078800500000LL); /* UTC */
    assert_true(page->has_newest && page->newest_us == 1741078800500000LL);
    assert_true(change->has_native_id && change->native_id == 88);
    assert_int_equal(change->by, DELEGATION_HUMAN);
    assert_false(change->weak || change->has_origin || change->facilitator.present);
    assert_int_equal(change->rights.count, 1);
    free(page);
}

static void an_action_is_a_name_or_a_number_and_anything_else_no_grant(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum delegation_op op;
        enum delegation_by by;
    } rows[] = {
        {"\"Delegate\"", DELEGATION_GRANT, DELEGATION_HUMAN},
        {"\"delegate \"", DELEGATION_GRANT, DELEGATION_HUMAN},
        {"1", DELEGATION_GRANT, DELEGATION_HUMAN},
        {"\"1\"", DELEGATION_GRANT, DELEGATION_HUMAN},
        {"\"Revoke\"", DELEGATION_REVOKE, DELEGATION_HUMAN},
        {"2", DELEGATION_REVOKE, DELEGATION_HUMAN},
        {"\"DelegationSchemeCascadingDelete\"", DELEGATION_REVOKE, DELEGATION_MACHINE},
        {"3", DELEGATION_REVOKE, DELEGATION_MACHINE},
        {"\"NotSet\"", DELEGATION_LIFT, DELEGATION_MACHINE},
        {"0", DELEGATION_LIFT, DELEGATION_MACHINE},
        {"4", DELEGATION_LIFT, DELEGATION_MACHINE},
        {"-1", DELEGATION_LIFT, DELEGATION_MACHINE},
        {"1.0", DELEGATION_LIFT, DELEGATION_MACHINE},
        {"\"Delegated\"", DELEGATION_LIFT, DELEGATION_MACHINE},
        {"\"\"", DELEGATION_LIFT, DELEGATION_MACHINE},
        {"null", DELEGATION_LIFT, DELEGATION_MACHINE},
        {"true", DELEGATION_LIFT, DELEGATION_MACHINE},
        {"[1]", DELEGATION_LIFT, DELEGATION_MACHINE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char members[2048];
        snprintf(members, sizeof members,
                 "\"delegationAction\":%s,\"roleTypeCode\":\"HADM\"," PARTIES "," TIME "," BY,
                 rows[i].text);
        struct feed_page *page = reads_item(members);
        const struct delegation_change *change = &page->items[0].change;
        if (change->op != (int32_t)rows[i].op || change->by != (int32_t)rows[i].by) {
            fail_msg("%s is op %d by %d", rows[i].text, (int)change->op, (int)change->by);
        }
        assert_int_equal(page->unknown_count, rows[i].op == DELEGATION_LIFT);
        assert_int_equal(change->rights.count, rows[i].op == DELEGATION_GRANT);
        free(page);
    }
}

static void an_event_with_a_broken_member_is_kept_and_no_grant(void **state)
{
    (void)state;
    static const char *const broken[] = {
        "\"fromPartyId\":\"x\"",
        "\"fromPartyId\":-5",
        "\"fromPartyUuid\":\"7\"",
        "\"toUserId\":99999999999",
        "\"roleTypeCode\":7",
        "\"delegationChangeDateTime\":\"soon\"",
        "\"performedByUserId\":[]",
        "\"roleDelegationId\":\"x\"",
        "\"performedByPartyUuid\":\"-\"",
    };
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        char members[1024];
        snprintf(members, sizeof members, "\"delegationAction\":1,\"toPartyId\":50002,%s",
                 broken[i]);
        struct feed_page *page = reads_item(members);
        assert_int_equal(page->unknown_count, 1);
        assert_int_equal(page->items[0].change.op, DELEGATION_LIFT);
        assert_true(page->items[0].change.from.present);
        free(page);
    }
}

#define A60 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void types_of_users_are_names_or_numbers_and_unknown_ones_stay(void **state)
{
    (void)state;
    static const struct {
        const char *text, *type;
    } rows[] = {{"\"enterpriseidentified\"", "EnterpriseIdentified"},
                {"3", "EnterpriseIdentified"},
                {"0", "None"},
                {"\"PSAN\"", "PSAN"},
                {"7", "7"},
                {"\"Robot\"", "Robot"},
                /* Longer than any: whole characters of it, or no record could be made of it. */
                {"\"" A60 "ab\u00e6rs\"", A60 "ab"},
                {"\"" A60 "abc\u00e6rs\"", A60 "abc"},
                {"\"\"", "?"},
                {"{}", "?"},
                {"null", NULL}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char members[512];
        snprintf(
            members, sizeof members,
            "\"delegationAction\":1,\"roleTypeCode\":\"HADM\",\"fromPartyId\":1,\"toPartyId\":2,"
            "\"toUserType\":%s",
            rows[i].text);
        struct feed_page *page = reads_item(members);
        const struct delegation_name *to = &page->items[0].change.to;
        assert_int_equal(to->has_type, rows[i].type != NULL);
        if (rows[i].type && !sync_bytes_equal(to->type, sync_bytes_text(rows[i].type))) {
            fail_msg("%s is %.*s", rows[i].text, (int)to->type.size, (const char *)to->type.data);
        }
        assert_false(page->items[0].unknown);
        free(page);
    }
}

static void the_performing_party_is_the_facilitator(void **state)
{
    (void)state;
    struct feed_page *page =
        reads_item("\"delegationAction\":1,\"roleTypeCode\":\"A0239\"," PARTIES
                   ",\"performedByPartyId\":50007,\"performedByPartyUuid\":\"" UUID_A "\"");
    const struct delegation_change *change = &page->items[0].change;
    assert_true(change->facilitator.present && change->facilitator.has_uuid &&
                change->facilitator.party_id == 50007);
    assert_int_equal(change->by, DELEGATION_MACHINE); /* no login acted */
    assert_false(change->has_event_time || page->has_newest);
    free(page);
}

static void what_our_bridge_did_is_an_echo(void **state)
{
    (void)state;
    assert_true(sync_uuid_parse(sync_bytes_text(OWN_PARTY), &own.party));
    static const char *const performers[] = {"\"performedByUserId\":29999999",
                                             "\"performedByUserUuid\":\"" OWN_PARTY "\""};
    for (int i = 0; i < 2; i++) {
        char members[1024];
        snprintf(members, sizeof members,
                 "\"delegationAction\":2,\"roleTypeCode\":\"HADM\"," PARTIES ",%s", performers[i]);
        struct feed_page *page = reads_item(members);
        assert_true(page->items[0].change.has_origin);
        assert_int_equal(page->items[0].change.origin_source, DELEGATION_A3);
        assert_int_equal(page->items[0].change.by, DELEGATION_MACHINE);
        free(page);
    }
}

static void the_envelope_is_read(void **state)
{
    (void)state;
    struct feed_page *page = reads(
        "{\"stats\":{\"pageStart\":1,\"pageEnd\":3,\"sequenceMax\":99},\"links\":{\"next\":\"" FEED
        "?after=3\"},\"data\":[{\"altinnRoleDelegationEventId\":3},"
        "{\"altinnRoleDelegationEventId\":\"1\"}]}");
    assert_int_equal(page->sequence_max, 99);
    assert_true(sync_bytes_equal(page->next, sync_bytes_text(FEED "?after=3")));
    assert_true(page->count == 2 && page->items[0].id == 3 && page->items[1].id == 1);
    free(page);
    static const char *const ends[] = {
        "{\"stats\":{},\"links\":{\"next\":\"\"},\"data\":[]}",
        "{\"links\":{\"next\":null},\"data\":[]}",
        "{\"links\":{},\"data\":[]}",
        "{\"data\":[]}",
    };
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        page = reads(ends[i]);
        assert_true(page->next.size == 0 && page->count == 0 && !page->has_newest);
        free(page);
    }
}

static void what_is_no_page_is_refused(void **state)
{
    (void)state;
    refuses("", SYNC_CODE_SYNTAX, "");
    refuses("[]", SYNC_CODE_SYNTAX, "");
    refuses("{}", SYNC_CODE_FIELD_MISSING, "/data");
    refuses("{\"data\":{}}", SYNC_CODE_FIELD_MISSING, "/data");
    refuses("{\"data\":[],\"links\":7}", SYNC_CODE_SYNTAX, "/links");
    refuses("{\"data\":[],\"links\":{\"next\":7}}", SYNC_CODE_SYNTAX, "/links/next");
    refuses("{\"data\":[],\"stats\":{\"sequenceMax\":\"x\"}}", SYNC_CODE_FIELD_RANGE,
            "/stats/sequenceMax");
    refuses("{\"data\":[7]}", SYNC_CODE_SYNTAX, "/data/0");
    refuses("{\"data\":[{\"altinnRoleDelegationEventId\":1},{}]}", SYNC_CODE_FIELD_MISSING,
            "/data/1/altinnRoleDelegationEventId");
    refuses("{\"data\":[{\"altinnRoleDelegationEventId\":0}]}", SYNC_CODE_FIELD_RANGE,
            "/data/0/altinnRoleDelegationEventId");
}

static void a_link_leads_where_the_configuration_says(void **state)
{
    (void)state;
    static const struct {
        const char *link, *called;
    } rows[] = {
        {FEED "?subscriptionId=10&after=7", FEED "?subscriptionId=10&after=7"},
        {"HTTPS://bridge.EXAMPLE:8443/sblbridge/roledelegationevent/api/getevents?a=b/../c",
         FEED "?a=b/../c"},
        {FEED, FEED},
        {FEED "/page-2", FEED "/page-2"},
        {"http://bridge.example:8443/sblbridge/roledelegationevent/api/getevents?a", NULL},
        {"https://bridge.example/sblbridge/roledelegationevent/api/getevents?a", NULL},
        {"https://bridge.example:8444/sblbridge/roledelegationevent/api/getevents?a", NULL},
        {"https://bridge.example.evil:8443/sblbridge/roledelegationevent/api/getevents?a", NULL},
        {"https://evil/?https://bridge.example:8443/sblbridge/roledelegationevent/api/getevents",
         NULL},
        {"https://bridge.example:8443@evil/sblbridge/roledelegationevent/api/getevents?a", NULL},
        {"https://bridge.example:8443/sblbridge/roledelegationevent/api/geteventsX", NULL},
        {"https://bridge.example:8443/sblbridge/roledelegationevent/api/getevents/../other", NULL},
        {"https://bridge.example:8443/sblbridge/roledelegationevent/api/getevents/%2e%2e/o", NULL},
        {"https://bridge.example:8443/other/roledelegationevent/api/getevents", NULL},
        {"https://bridge.example:8443\\@evil/sblbridge/roledelegationevent/api/getevents", NULL},
        {FEED "?a\r\nHost: evil", NULL},
        {FEED "?a b", NULL},
        {FEED "#x", NULL},
        {"/sblbridge/roledelegationevent/api/getevents?a", NULL},
        {"//bridge.example:8443/sblbridge/roledelegationevent/api/getevents?a", NULL},
        {"file:///etc/passwd", NULL},
        {"https://", NULL},
        {"https://:8443/sblbridge/roledelegationevent/api/getevents", NULL},
        {"https://bridge.example:/sblbridge/roledelegationevent/api/getevents", NULL},
        {"https://bridge.example:99999/sblbridge/roledelegationevent/api/getevents", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char link[FEED_LINK_SIZE] = "untouched";
        bool good = feed_link_check(BASE "/", sync_bytes_text(rows[i].link), link);
        if (good != (rows[i].called != NULL)) {
            fail_msg("%s is %s", rows[i].link, good ? "taken" : "refused");
        }
        assert_string_equal(link, good ? rows[i].called : "untouched");
    }
    char first[FEED_LINK_SIZE], again[FEED_LINK_SIZE];
    assert_true(feed_link_first(BASE "/", first));
    assert_string_equal(first, FEED "?subscriptionId=10");
    assert_true(feed_link_check(BASE, sync_bytes_text(first), again));
    assert_true(feed_link_check("http://127.0.0.1:80",
                                sync_bytes_text("http://127.0.0.1" FEED_PATH "?a"), again));
    assert_true(feed_link_check("http://[::1]:8081",
                                sync_bytes_text("http://[::1]:8081" FEED_PATH "?a"), again));
}

static void a_link_that_does_not_fit_is_refused(void **state)
{
    (void)state;
    char link[FEED_LINK_SIZE + 64], called[FEED_LINK_SIZE];
    memset(link, 'a', sizeof link);
    memcpy(link, FEED "?", strlen(FEED "?"));
    assert_true(
        feed_link_check(BASE, (struct sync_bytes){(uint8_t *)link, FEED_LINK_SIZE - 1}, called));
    assert_false(
        feed_link_check(BASE, (struct sync_bytes){(uint8_t *)link, FEED_LINK_SIZE}, called));
}

static struct feed_gaps gaps;

static void missing_ids_are_taken_when_they_come(void **state)
{
    (void)state;
    int64_t aged = 0;
    gaps.count = 0;
    assert_int_equal(feed_gaps_lowest(&gaps), INT64_MAX);
    assert_int_equal(feed_gaps_add(&gaps, 10, 20, 100), 0);
    assert_int_equal(feed_gaps_add(&gaps, 30, 30, 200), 0);
    assert_int_equal(feed_gaps_add(&gaps, 40, 39, 200), 0); /* nothing is missing */
    assert_int_equal(gaps.count, 2);
    assert_false(feed_gaps_take(&gaps, 9, &aged) || feed_gaps_take(&gaps, 21, &aged));
    assert_true(feed_gaps_take(&gaps, 15, &aged));  /* splits */
    assert_false(feed_gaps_take(&gaps, 15, &aged)); /* once */
    assert_int_equal(gaps.count, 3);
    assert_true(feed_gaps_take(&gaps, 10, &aged) && feed_gaps_take(&gaps, 20, &aged));
    assert_true(feed_gaps_take(&gaps, 30, &aged));
    assert_int_equal(gaps.count, 2);
    assert_int_equal(feed_gaps_lowest(&gaps), 11);
    assert_int_equal(aged, 0);
    char *text = feed_gaps_write(&gaps);
    static struct feed_gaps back;
    feed_gaps_read(sync_bytes_text(text), &back);
    assert_int_equal(back.count, 2);
    assert_memory_equal(back.items, gaps.items, 2 * sizeof gaps.items[0]);
    free(text);
    assert_int_equal(feed_gaps_age(&gaps, 100), 0);
    assert_int_equal(feed_gaps_age(&gaps, 101), 8); /* 11 to 14, 16 to 19 */
    assert_int_equal(gaps.count, 0);
}

static void more_gaps_than_fit_age_the_oldest(void **state)
{
    (void)state;
    int64_t aged = 0;
    gaps.count = 0;
    for (int64_t i = 0; i < FEED_GAPS_MAX; i++) {
        assert_int_equal(feed_gaps_add(&gaps, 10 * i + 1, 10 * i + 3, 1000 + i), 0);
    }
    assert_int_equal(feed_gaps_add(&gaps, 1000001, 1000001, 5000), 3);
    assert_int_equal(gaps.count, FEED_GAPS_MAX);
    assert_int_equal(feed_gaps_lowest(&gaps), 11);
    assert_true(feed_gaps_take(&gaps, 22, &aged)); /* splits: one more has no place */
    assert_int_equal(aged, 3);
    assert_int_equal(gaps.count, FEED_GAPS_MAX);
    assert_int_equal(feed_gaps_lowest(&gaps), 21);
}

static void what_is_no_list_of_gaps_is_none(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "", "{}", "[7]", "[{\"first\":5,\"last\":4,\"since\":\"2025-03-04T09:00:00Z\"}]",
        "[{\"first\":5,\"last\":6}]"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        gaps.count = 9;
        feed_gaps_read(sync_bytes_text(texts[i]), &gaps);
        assert_int_equal(gaps.count, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_is_read),
        cmocka_unit_test(an_action_is_a_name_or_a_number_and_anything_else_no_grant),
        cmocka_unit_test(an_event_with_a_broken_member_is_kept_and_no_grant),
        cmocka_unit_test(types_of_users_are_names_or_numbers_and_unknown_ones_stay),
        cmocka_unit_test(the_performing_party_is_the_facilitator),
        cmocka_unit_test(what_our_bridge_did_is_an_echo),
        cmocka_unit_test(the_envelope_is_read),
        cmocka_unit_test(what_is_no_page_is_refused),
        cmocka_unit_test(a_link_leads_where_the_configuration_says),
        cmocka_unit_test(a_link_that_does_not_fit_is_refused),
        cmocka_unit_test(missing_ids_are_taken_when_they_come),
        cmocka_unit_test(more_gaps_than_fit_age_the_oldest),
        cmocka_unit_test(what_is_no_list_of_gaps_is_none),
    };
    return cmocka_run_group_tests_name("delegation_feed", tests, NULL, NULL);
}
