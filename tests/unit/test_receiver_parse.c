/* Shows how the body of Altinn 2's status call is read: what is taken, and that everything else is
 * refused with the JSON pointer of the fault. Each bad body differs from the good one in one place.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../connectors/altinn2/status_event.h"
#include "core/limits.h"

#include <stdio.h>
#include <stdlib.h>

#define MESSAGE "7c9e6679-7425-40de-944b-e07fc1f90ae7"
#define PARTY   "00000000-0000-0000-0000-0000000000AA"
#define USER    "5f3a0000-0000-4000-8000-000000000001"

static struct sync_error err;

/* A body with one act that is given as text. */
static struct sync_bytes body_of(const char *act)
{
    static char text[2048];
    snprintf(text, sizeof text,
             "{\"correspondenceId\":\"" MESSAGE "\",\"syncedStatusEvents\":[%s]}", act);
    return sync_bytes_text(text);
}

static struct status_event *reads(struct sync_bytes body)
{
    struct status_event *event = NULL;
    sync_status status = status_event_parse(body, &event, &err);
    if (!sync_is_ok(status)) {
        print_message("refused: %s at %s\n", err.text, err.field);
    }
    assert_true(sync_is_ok(status));
    return event;
}

static void refuses(struct sync_bytes body, enum sync_code code, const char *pointer)
{
    struct status_event *event = NULL;
    memset(&err, 0, sizeof err);
    sync_status status = status_event_parse(body, &event, &err);
    if (status.class != SYNC_CLASS_PARK || err.code != code || strcmp(err.field, pointer) != 0) {
        print_message("%.*s\n-> class %d, %s at \"%s\": %s\n", (int)body.size,
                      (const char *)body.data, (int)status.class, sync_code_word(err.code),
                      err.field, err.text);
    }
    assert_int_equal(status.class, SYNC_CLASS_PARK);
    assert_int_equal(err.code, code);
    assert_string_equal(err.field, pointer);
    assert_null(event);
}

static void the_real_call_is_read(void **state)
{
    (void)state;
    struct status_event *event =
        reads(body_of("{\"status\":4,\"statusText\":\"Read\",\"statusChanged\":\"2025-03-04T10:00:"
                      "00.2000009+01:00\","
                      "\"eventUserUuid\":\"" USER "\",\"eventUserPartyUuid\":\"" PARTY "\"}"));
    assert_int_equal(event->count, 1);
    assert_false(event->has_altinn2_id);
    assert_int_equal(event->altinn3_id.bytes[0], 0x7c);
    assert_int_equal(event->items[0].kind, 4);
    assert_true(event->items[0].occurred_at_us == 1741078800200000LL);
    assert_int_equal(event->items[0].party.bytes[15], 0xaa);
    assert_true(event->items[0].has_user);
    assert_int_equal(event->items[0].user.bytes[0], 0x5f);
    free(event);
}

#define ACT_WITH(status)                                                                           \
    "{\"status\":" status                                                                          \
    ",\"statusChanged\":\"2025-03-04T09:00:00Z\",\"eventUserPartyUuid\":\"" PARTY "\"}"

static void a_status_may_be_any_number_or_a_name(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int32_t kind;
    } rows[] = {{ACT_WITH("0"), 0},
                {ACT_WITH("14"), 14},
                {ACT_WITH("99"), 99},
                {ACT_WITH("-1"), -1},
                {ACT_WITH("2147483647"), INT32_MAX},
                {ACT_WITH("\"Read\""), 4},
                {ACT_WITH("\"confirmed\""), 6},
                {ACT_WITH("\"PurgedByRecipient\""), 7},
                {ACT_WITH("\"PurgedByAltinn\""), 8},
                {ACT_WITH("\"Archived\""), 9},
                {ACT_WITH("\"SoftDeletedByRecipient\""), 13},
                {ACT_WITH("\"RestoredByRecipient\""), 14}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct status_event *event = reads(body_of(rows[i].text));
        assert_int_equal(event->items[0].kind, rows[i].kind);
        free(event);
    }
}

static void a_user_may_be_missing_or_null_and_unknown_members_are_passed_over(void **state)
{
    (void)state;
    struct status_event *event = reads(body_of(ACT_WITH(
        "4") ",{\"status\":4,\"statusChanged\":\"2025-03-04T09:00:00Z\",\"eventUserUuid\":null,"
             "\"eventUserPartyUuid\":\"00000000-0000-0000-0000-000000000000\",\"new\":[1,{\"a\":2}]"
             "}"));
    assert_int_equal(event->count, 2);
    assert_false(event->items[0].has_user);
    assert_false(event->items[1].has_user);
    assert_true(sync_uuid_is_zero(&event->items[1].party));
    free(event);
}

static void the_extension_names_the_message_in_altinn_2(void **state)
{
    (void)state;
    struct status_event *event =
        reads(sync_bytes_text("{\"altinn2CorrespondenceId\":7001,\"correspondenceId\":\"" MESSAGE
                              "\",\"syncedStatusEvents\":[" ACT_WITH("4") "]}"));
    assert_true(event->has_altinn2_id);
    assert_int_equal(event->altinn2_id, 7001);
    free(event);
    static const char *const wrong[] = {"0",      "-1",   "2147483648", "\"7001\"",
                                        "7001.0", "true", "[]",         "{}"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char text[512];
        snprintf(text, sizeof text,
                 "{\"altinn2CorrespondenceId\":%s,\"correspondenceId\":\"" MESSAGE
                 "\",\"syncedStatusEvents\":[%s]}",
                 wrong[i], ACT_WITH("4"));
        refuses(sync_bytes_text(text), SYNC_CODE_FIELD_RANGE, "/altinn2CorrespondenceId");
    }
}

static void a_null_extension_is_none(void **state)
{
    (void)state;
    struct status_event *event =
        reads(sync_bytes_text("{\"altinn2CorrespondenceId\":null,\"correspondenceId\":\"" MESSAGE
                              "\",\"syncedStatusEvents\":[" ACT_WITH("4") "]}"));
    assert_false(event->has_altinn2_id);
    free(event);
}

static void a_body_that_is_not_an_object_with_a_list_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum sync_code code;
        const char *pointer;
    } rows[] = {
        {"", SYNC_CODE_SYNTAX, ""},
        {"not json", SYNC_CODE_SYNTAX, ""},
        {"{\"correspondenceId\":", SYNC_CODE_SYNTAX, ""},
        {"[]", SYNC_CODE_SYNTAX, ""},
        {"null", SYNC_CODE_SYNTAX, ""},
        {"4", SYNC_CODE_SYNTAX, ""},
        {"{}{}", SYNC_CODE_SYNTAX, ""},
        {"{}", SYNC_CODE_FIELD_MISSING, "/syncedStatusEvents"},
        {"{\"syncedStatusEvents\":null}", SYNC_CODE_FIELD_MISSING, "/syncedStatusEvents"},
        {"{\"syncedStatusEvents\":{}}", SYNC_CODE_SYNTAX, "/syncedStatusEvents"},
        {"{\"syncedStatusEvents\":\"x\"}", SYNC_CODE_SYNTAX, "/syncedStatusEvents"},
        {"{\"correspondenceId\":\"" MESSAGE "\",\"syncedStatusEvents\":[]}", SYNC_CODE_ITEM_COUNT,
         "/syncedStatusEvents"},
        {"{\"SyncedStatusEvents\":[1]}", SYNC_CODE_FIELD_MISSING, "/syncedStatusEvents"},
        {"{\"syncedStatusEvents\":[1]}", SYNC_CODE_FIELD_MISSING, "/correspondenceId"},
        {"{\"correspondenceId\":null,\"syncedStatusEvents\":[1]}", SYNC_CODE_FIELD_MISSING,
         "/correspondenceId"},
        {"{\"correspondenceId\":7001,\"syncedStatusEvents\":[1]}", SYNC_CODE_UUID,
         "/correspondenceId"},
        {"{\"correspondenceId\":\"\",\"syncedStatusEvents\":[1]}", SYNC_CODE_UUID,
         "/correspondenceId"},
        {"{\"correspondenceId\":\"7c9e6679742540de944be07fc1f90ae7\",\"syncedStatusEvents\":[1]}",
         SYNC_CODE_UUID, "/correspondenceId"},
        {"{\"correspondenceId\":\"{" MESSAGE "}\",\"syncedStatusEvents\":[1]}", SYNC_CODE_UUID,
         "/correspondenceId"},
        {"{\"correspondenceId\":\"00000000-0000-0000-0000-000000000000\",\"syncedStatusEvents\":[1]"
         "}",
         SYNC_CODE_UUID, "/correspondenceId"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        refuses(sync_bytes_text(rows[i].text), rows[i].code, rows[i].pointer);
    }
}

static void a_bad_act_is_named_by_its_place(void **state)
{
    (void)state;
#define ACT(status, time, party)                                                                   \
    "{\"status\":" status ",\"statusChanged\":" time ",\"eventUserPartyUuid\":" party "}"
#define TIME "\"2025-03-04T09:00:00Z\""
#define ID   "\"" PARTY "\""
    static const struct {
        const char *act;
        enum sync_code code;
        const char *member;
    } rows[] = {
        {"1", SYNC_CODE_SYNTAX, ""},
        {"null", SYNC_CODE_SYNTAX, ""},
        {"[]", SYNC_CODE_SYNTAX, ""},
        {"{}", SYNC_CODE_FIELD_MISSING, "/status"},
        {ACT("null", TIME, ID), SYNC_CODE_FIELD_MISSING, "/status"},
        {ACT("2147483648", TIME, ID), SYNC_CODE_FIELD_RANGE, "/status"},
        {ACT("4.0", TIME, ID), SYNC_CODE_KIND_UNKNOWN, "/status"},
        {ACT("true", TIME, ID), SYNC_CODE_KIND_UNKNOWN, "/status"},
        {ACT("\"4\"", TIME, ID), SYNC_CODE_KIND_UNKNOWN, "/status"},
        {ACT("\"Opened\"", TIME, ID), SYNC_CODE_KIND_UNKNOWN, "/status"},
        {ACT("\"\"", TIME, ID), SYNC_CODE_KIND_UNKNOWN, "/status"},
        {ACT("[4]", TIME, ID), SYNC_CODE_KIND_UNKNOWN, "/status"},
        {ACT("4", "null", ID), SYNC_CODE_FIELD_MISSING, "/statusChanged"},
        {ACT("4", "1741078800", ID), SYNC_CODE_FIELD_RANGE, "/statusChanged"},
        {ACT("4", "\"2025-03-04T09:00:00\"", ID), SYNC_CODE_FIELD_RANGE, "/statusChanged"},
        {ACT("4", "\"2025-02-30T09:00:00Z\"", ID), SYNC_CODE_FIELD_RANGE, "/statusChanged"},
        {ACT("4", "\"yesterday\"", ID), SYNC_CODE_FIELD_RANGE, "/statusChanged"},
        {ACT("4", "\"\"", ID), SYNC_CODE_FIELD_RANGE, "/statusChanged"},
        {"{\"status\":4,\"statusChanged\":" TIME "}", SYNC_CODE_FIELD_MISSING,
         "/eventUserPartyUuid"},
        {ACT("4", TIME, "null"), SYNC_CODE_FIELD_MISSING, "/eventUserPartyUuid"},
        {ACT("4", TIME, "50001"), SYNC_CODE_UUID, "/eventUserPartyUuid"},
        {ACT("4", TIME, "\"x\""), SYNC_CODE_UUID, "/eventUserPartyUuid"},
        {"{\"eventUserUuid\":\"x\",\"status\":4,\"statusChanged\":" TIME
         ",\"eventUserPartyUuid\":" ID "}",
         SYNC_CODE_UUID, "/eventUserUuid"},
        {"{\"eventUserUuid\":1,\"status\":4,\"statusChanged\":" TIME ",\"eventUserPartyUuid\":" ID
         "}",
         SYNC_CODE_UUID, "/eventUserUuid"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char acts[1024], pointer[64];
        snprintf(acts, sizeof acts, "%s,%s", ACT_WITH("4"), rows[i].act);
        snprintf(pointer, sizeof pointer, "/syncedStatusEvents/1%s", rows[i].member);
        refuses(body_of(acts), rows[i].code, pointer);
    }
}

static void doubled_names_and_deep_nesting_are_refused(void **state)
{
    (void)state;
    refuses(sync_bytes_text("{\"correspondenceId\":\"" MESSAGE "\",\"correspondenceId\":\"" MESSAGE
                            "\"}"),
            SYNC_CODE_SYNTAX, "");
    char deep[1024];
    memset(deep, '[', sizeof deep);
    refuses((struct sync_bytes){(const uint8_t *)deep, sizeof deep}, SYNC_CODE_DEPTH, "");
}

static void bytes_that_are_no_utf_8_are_refused(void **state)
{
    (void)state;
    refuses(sync_bytes_text("{\"correspondenceId\":\"\xff\xfe\"}"), SYNC_CODE_SYNTAX, "");
    static const uint8_t nul[] = "{\"a\":\"\0\"}";
    refuses((struct sync_bytes){nul, sizeof nul - 1}, SYNC_CODE_SYNTAX, "");
}

/* A body of count acts; the caller frees it. */
static char *many_acts(size_t count)
{
    static const char act[] = ACT_WITH("4");
    char *text = malloc(128 + count * (sizeof act + 1));
    assert_non_null(text);
    char *at =
        text + sprintf(text, "{\"correspondenceId\":\"" MESSAGE "\",\"syncedStatusEvents\":[");
    for (size_t i = 0; i < count; i++) {
        at += sprintf(at, "%s%s", i > 0 ? "," : "", act);
    }
    sprintf(at, "]}");
    return text;
}

static void one_call_holds_so_many_acts_and_no_more(void **state)
{
    (void)state;
    char *text = many_acts(STATUS_EVENT_ITEMS_MAX);
    struct status_event *event = reads(sync_bytes_text(text));
    assert_int_equal(event->count, STATUS_EVENT_ITEMS_MAX);
    free(event);
    free(text);
    text = many_acts(STATUS_EVENT_ITEMS_MAX + 1);
    refuses(sync_bytes_text(text), SYNC_CODE_OVERSIZE, "/syncedStatusEvents");
    free(text);
}

/* Every cut of the good body, and every byte replaced by some others: no crash, and a class we
 * know. */
static void no_cut_or_changed_byte_does_harm(void **state)
{
    (void)state;
    struct sync_bytes good = body_of(ACT_WITH("4"));
    char text[2048];
    for (size_t size = 0; size < good.size; size++) {
        struct status_event *event = NULL;
        struct sync_bytes cut = {good.data, size};
        assert_int_equal(status_event_parse(cut, &event, &err).class, SYNC_CLASS_PARK);
    }
    static const char others[] = {'\0', '"', '{', ']', '\\', '\x80', '9', ','};
    for (size_t at = 0; at < good.size; at++) {
        for (size_t i = 0; i < sizeof others; i++) {
            struct status_event *event = NULL;
            memcpy(text, good.data, good.size);
            text[at] = others[i];
            sync_status status = status_event_parse(
                (struct sync_bytes){(const uint8_t *)text, good.size}, &event, &err);
            assert_true(sync_is_ok(status) || status.class == SYNC_CLASS_PARK);
            free(event);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_real_call_is_read),
        cmocka_unit_test(a_status_may_be_any_number_or_a_name),
        cmocka_unit_test(a_user_may_be_missing_or_null_and_unknown_members_are_passed_over),
        cmocka_unit_test(the_extension_names_the_message_in_altinn_2),
        cmocka_unit_test(a_null_extension_is_none),
        cmocka_unit_test(a_body_that_is_not_an_object_with_a_list_is_refused),
        cmocka_unit_test(a_bad_act_is_named_by_its_place),
        cmocka_unit_test(doubled_names_and_deep_nesting_are_refused),
        cmocka_unit_test(bytes_that_are_no_utf_8_are_refused),
        cmocka_unit_test(one_call_holds_so_many_acts_and_no_more),
        cmocka_unit_test(no_cut_or_changed_byte_does_harm),
    };
    return cmocka_run_group_tests_name("receiver_parse", tests, NULL, NULL);
}
