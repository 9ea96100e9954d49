/*
 * Shows what the loader takes from a line of docs/load-format.md and what it refuses, by parsing
 * single lines: each wrong one must name its field. No database: what is written is shown by the
 * load tests.
 */
#include "../../connectors/altinn3/correspondence_loader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define MEMORY (64 * 1024)

static uint8_t memory[MEMORY];
static struct sync_arena arena;
static struct sync_error err;

#define MESSAGE                                                                                    \
    "\"type\":\"message\",\"altinn2Id\":7001,\"resourceId\":\"r\",\"recipient\":"                  \
    "\"urn:altinn:Organization:identifier-no:310000017\",\"sender\":\"0192:991825827\","           \
    "\"sendersReference\":\"x\",\"created\":\"2025-03-04T09:00:00.1234567Z\",\"language\":\"nb\"," \
    "\"title\":\"Vedtak\""

static sync_status parse(const char *text, struct load_item **ret_item)
{
    void *item = NULL;
    sync_arena_init(&arena, memory, sizeof memory);
    memset(&err, 0, sizeof err);
    sync_status status = correspondence_load_parse(sync_bytes_text(text), &arena, &item, &err);
    *ret_item = item;
    return status;
}

static struct load_item *accept(const char *text)
{
    struct load_item *item = NULL;
    if (!sync_is_ok(parse(text, &item))) {
        fail_msg("%s: %s", err.field, err.text);
    }
    return item;
}

static void refuse(const char *text, enum sync_code code, const char *field)
{
    struct load_item *item = NULL;
    sync_status status = parse(text, &item);
    assert_int_equal(status.class, SYNC_CLASS_PARK);
    assert_string_equal(sync_code_word(err.code), sync_code_word(code));
    assert_string_equal(err.field, field);
}

static void expect_text(struct sync_bytes text, const char *expected)
{
    assert_int_equal(text.size, strlen(expected));
    assert_memory_equal(text.data, expected, text.size);
}

static void a_party_is_its_uuid_and_its_number(void **state)
{
    (void)state;
    const struct load_item *item = accept("{\"type\":\"party\",\"uuid\":\"7C9E6679-7425-40de-944b-"
                                          "e07fc1f90ae7\",\"altinn2PartyId\":50001}");
    assert_true(item->is_party);
    assert_int_equal(item->party.altinn2_party_id, 50001);
    assert_int_equal(item->party.uuid.bytes[0], 0x7c);
}

static void a_short_message_gets_the_defaults(void **state)
{
    (void)state;
    const struct load_message *message = &accept("{" MESSAGE "}")->message;
    assert_true(message->hidden);
    assert_false(message->confirmation_needed);
    assert_int_equal(message->created_us, 1741078800123456);
    assert_int_equal(message->requested_publish_us, message->created_us);
    assert_true(message->published_us == LOAD_ABSENT && message->due_us == LOAD_ABSENT);
    expect_text(message->recipient, "urn:altinn:organization:identifier-no:310000017");
    expect_text(message->recipient_type, "urn:altinn:organization:identifier-no");
    expect_text(message->owner, "991825827");
    expect_text(message->body, "");
    expect_text(message->properties, "");
    assert_null(message->message_sender.data);
    assert_false(message->has_ignore_reservation);
}

static void the_computed_id_is_of_version_7_and_always_the_same(void **state)
{
    (void)state;
    struct sync_uuid first = accept("{" MESSAGE "}")->message.altinn3_id;
    struct sync_uuid second = accept("{" MESSAGE ",\"body\":\"other\"}")->message.altinn3_id;
    assert_int_equal(sync_uuid_compare(&first, &second), 0);
    assert_int_equal(first.bytes[6] >> 4, 7);
    assert_int_equal(first.bytes[8] >> 6, 2);
    assert_int_equal(first.bytes[0], 0x01); /* 1741078800123 ms = 0x0195606226fb */
    assert_int_equal(first.bytes[5], 0xfb);
}

static void published_is_the_earliest_status_2_unless_given(void **state)
{
    (void)state;
#define TWO                                                                                        \
    "\"statuses\":[{\"status\":4,\"at\":\"2025-01-01T00:00:00Z\"},{\"status\":2,\"at\":"           \
    "\"2025-01-03T00:00:00Z\"},{\"status\":2,\"at\":\"2025-01-02T00:00:00Z\"}]"
    const struct load_message *message = &accept("{" MESSAGE "," TWO "}")->message;
    assert_int_equal(message->published_us, 1735776000000000);
    assert_int_equal(message->status_count, 3);
    message = &accept("{" MESSAGE ",\"published\":\"2025-01-05T01:00:00+01:00\"," TWO "}")->message;
    assert_int_equal(message->published_us, 1736035200000000);
}

static void properties_become_the_text_of_hstore(void **state)
{
    (void)state;
    const struct load_message *message =
        &accept("{" MESSAGE ",\"properties\":{\"a\\\"\":\"b\\\\c\",\"d\":\"\"}}")->message;
    expect_text(message->properties, "\"a\\\"\"=>\"b\\\\c\",\"d\"=>\"\"");
}

static void attachments_get_an_id_from_their_id_in_altinn_2(void **state)
{
    (void)state;
    const struct load_message *message =
        &accept("{" MESSAGE
                ",\"attachments\":[{\"altinn2AttachmentId\":\"9\"},{\"altinn2AttachmentId\":\"9\"},"
                "{\"altinn2AttachmentId\":\"10\",\"sendersReference\":\"own\"}]}")
             ->message;
    assert_int_equal(message->attachment_count, 3);
    assert_int_equal(sync_uuid_compare(&message->attachments[0].id, &message->attachments[1].id),
                     0);
    assert_int_not_equal(
        sync_uuid_compare(&message->attachments[0].id, &message->attachments[2].id), 0);
    expect_text(message->attachments[0].senders_reference, "x");
    expect_text(message->attachments[2].senders_reference, "own");
}

static void wrong_lines_name_their_field(void **state)
{
    static const struct {
        const char *line;
        enum sync_code code;
        const char *field;
    } wrong[] = {
        {"", SYNC_CODE_SYNTAX, ""},
        {"{", SYNC_CODE_SYNTAX, ""},
        {"{} {}", SYNC_CODE_SYNTAX, ""},
        {"7", SYNC_CODE_FIELD_RANGE, "type"},
        {"{}", SYNC_CODE_FIELD_RANGE, "type"},
        {"{\"type\":\"service\"}", SYNC_CODE_FIELD_RANGE, "type"},
        {"{\"type\":\"party\",\"altinn2PartyId\":1}", SYNC_CODE_FIELD_MISSING, "uuid"},
        {"{\"type\":\"party\",\"uuid\":\"7c9e6679742540de944be07fc1f90ae7\",\"altinn2PartyId\":1}",
         SYNC_CODE_UUID, "uuid"},
        {"{\"type\":\"party\",\"uuid\":\"7c9e6679-7425-40de-944b-e07fc1f90ae7\",\"altinn2PartyId\":"
         "0}",
         SYNC_CODE_FIELD_RANGE, "altinn2PartyId"},
        {"{\"type\":\"party\",\"uuid\":\"7c9e6679-7425-40de-944b-e07fc1f90ae7\",\"altinn2PartyId\":"
         "2147483648}",
         SYNC_CODE_FIELD_RANGE, "altinn2PartyId"},
        {"{\"type\":\"party\",\"uuid\":\"7c9e6679-7425-40de-944b-e07fc1f90ae7\",\"altinn2PartyId\":"
         "1,\"name\":\"x\"}",
         SYNC_CODE_UNKNOWN_KEY, "name"},
        {"{\"type\":\"message\"}", SYNC_CODE_FIELD_MISSING, "altinn2Id"},
        {"{" MESSAGE ",\"altinn2ID\":1}", SYNC_CODE_UNKNOWN_KEY, "altinn2ID"},
        {"{" MESSAGE ",\"hidden\":1}", SYNC_CODE_FIELD_RANGE, "hidden"},
        {"{" MESSAGE ",\"published\":\"2025-01-01T00:00:00\"}", SYNC_CODE_FIELD_RANGE, "published"},
        {"{" MESSAGE ",\"published\":1735776000}", SYNC_CODE_FIELD_RANGE, "published"},
        {"{" MESSAGE ",\"altinn3Id\":\"x\"}", SYNC_CODE_UUID, "altinn3Id"},
        {"{" MESSAGE ",\"statuses\":{}}", SYNC_CODE_FIELD_RANGE, "statuses"},
        {"{" MESSAGE ",\"statuses\":[{\"status\":13,\"at\":\"2025-01-01T00:00:00Z\"}]}",
         SYNC_CODE_FIELD_RANGE, "statuses[0].status"},
        {"{" MESSAGE
         ",\"statuses\":[{\"status\":1,\"at\":\"2025-01-01T00:00:00Z\"},{\"status\":1}]}",
         SYNC_CODE_FIELD_MISSING, "statuses[1].at"},
        {"{" MESSAGE ",\"statuses\":[7]}", SYNC_CODE_FIELD_RANGE, "statuses[0]"},
        {"{" MESSAGE ",\"deleteEvents\":[{\"type\":5,\"at\":\"2025-01-01T00:00:00Z\"}]}",
         SYNC_CODE_FIELD_RANGE, "deleteEvents[0].type"},
        {"{" MESSAGE ",\"attachments\":[{\"size\":1}]}", SYNC_CODE_FIELD_MISSING,
         "attachments[0].altinn2AttachmentId"},
        {"{" MESSAGE ",\"attachments\":[{\"altinn2AttachmentId\":\"1\",\"size\":-1}]}",
         SYNC_CODE_FIELD_RANGE, "attachments[0].size"},
        {"{" MESSAGE ",\"replyOptions\":[{\"url\":\"\"}]}", SYNC_CODE_FIELD_RANGE,
         "replyOptions[0].url"},
        {"{" MESSAGE ",\"properties\":{\"a\":1}}", SYNC_CODE_FIELD_RANGE, "properties"},
        {"{" MESSAGE ",\"properties\":[]}", SYNC_CODE_FIELD_RANGE, "properties"},
        {"{" MESSAGE ",\"properties\":{\"1\":\"\",\"2\":\"\",\"3\":\"\",\"4\":\"\",\"5\":\"\","
         "\"6\":\"\",\"7\":\"\","
         "\"8\":\"\",\"9\":\"\",\"10\":\"\",\"11\":\"\"}}",
         SYNC_CODE_FIELD_RANGE, "properties"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        refuse(wrong[i].line, wrong[i].code, wrong[i].field);
    }
}

/* One field of a good message replaced by a bad value. */
static void refuse_instead(const char *good, const char *bad, const char *field)
{
    static const char whole[] = "{" MESSAGE "}";
    char line[1024];
    const char *at = strstr(whole, good);
    assert_non_null(at);
    (void)snprintf(line, sizeof line, "%.*s%s%s", (int)(at - whole), whole, bad, at + strlen(good));
    refuse(line, SYNC_CODE_FIELD_RANGE, field);
}

static void bounds_of_altinn_3_are_kept(void **state)
{
    char text[300], quoted[310];
    (void)state;
    memset(text, 'r', sizeof text);
    (void)snprintf(quoted, sizeof quoted, "\"resourceId\":\"%.256s\"", text);
    refuse_instead("\"resourceId\":\"r\"", quoted, "resourceId");
    refuse_instead("7001", "0", "altinn2Id");
    refuse_instead("7001", "2147483648", "altinn2Id");
    refuse_instead("7001", "\"7001\"", "altinn2Id");
    refuse_instead("\"nb\"", "\"se\"", "language");
    refuse_instead("\"Vedtak\"", "\" \\t\"", "title");
    refuse_instead("\"urn:altinn:Organization:identifier-no:310000017\"", "\"310000017\"",
                   "recipient");
    refuse_instead("\"urn:altinn:Organization:identifier-no:310000017\"", "\"urn:altinn:\"",
                   "recipient");
}

static void a_full_chunk_is_no_fault_of_the_line(void **state)
{
    void *item = NULL;
    (void)state;
    sync_arena_init(&arena, memory, 256);
    sync_status status =
        correspondence_load_parse(sync_bytes_text("{" MESSAGE "}"), &arena, &item, &err);
    assert_int_equal(status.class, SYNC_CLASS_RETRY);
    assert_int_equal(err.code, SYNC_CODE_MEMORY_LIMIT);
    assert_null(item);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_party_is_its_uuid_and_its_number),
        cmocka_unit_test(a_short_message_gets_the_defaults),
        cmocka_unit_test(the_computed_id_is_of_version_7_and_always_the_same),
        cmocka_unit_test(published_is_the_earliest_status_2_unless_given),
        cmocka_unit_test(properties_become_the_text_of_hstore),
        cmocka_unit_test(attachments_get_an_id_from_their_id_in_altinn_2),
        cmocka_unit_test(wrong_lines_name_their_field),
        cmocka_unit_test(bounds_of_altinn_3_are_kept),
        cmocka_unit_test(a_full_chunk_is_no_fault_of_the_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
