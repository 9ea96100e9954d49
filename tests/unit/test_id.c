/* Shows that ids are UUIDs of version 5 that anybody can compute again: values from RFC 9562 and
 * the protocol. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/id.h"

static void check_text(const struct sync_uuid *id, const char *wanted)
{
    char text[SYNC_UUID_BUFFER];
    sync_uuid_format(id, text);
    assert_string_equal(text, wanted);
}

static void a_name_in_the_dns_namespace_gives_the_value_of_the_rfc(void **state)
{
    (void)state;
    struct sync_uuid dns;
    assert_true(sync_uuid_parse(sync_bytes_text("6ba7b810-9dad-11d1-80b4-00c04fd430c8"), &dns));
    struct sync_uuid id = sync_id_v5(&dns, sync_bytes_text("www.example.com"));
    check_text(&id, "2ed6657d-e927-568b-95e1-2665a8aea6a2");
}

static void an_empty_name_is_a_name(void **state)
{
    (void)state;
    struct sync_uuid zero = {{0}};
    struct sync_uuid a = sync_id_v5(&zero, (struct sync_bytes){NULL, 0});
    struct sync_uuid b = sync_id_v5(&zero, sync_bytes_text(""));
    assert_memory_equal(a.bytes, b.bytes, sizeof a.bytes);
    assert_int_equal(a.bytes[6] >> 4, 5);
    assert_int_equal(a.bytes[8] >> 6, 2);
}

static void an_event_has_the_id_of_the_protocol(void **state)
{
    (void)state;
    struct sync_uuid id =
        sync_id_event(SYNC_SYSTEM_ALTINN3, sync_bytes_text("altinn3-status.1"), 4711);
    check_text(&id, "abf0d95f-3664-5768-9c24-1f740ad31051");
}

static void each_part_of_an_event_changes_its_id(void **state)
{
    (void)state;
    struct sync_bytes stream = sync_bytes_text("altinn3-status.1");
    struct sync_uuid id = sync_id_event(SYNC_SYSTEM_ALTINN3, stream, 4711);
    struct sync_uuid others[] = {
        sync_id_event(SYNC_SYSTEM_ALTINN2, stream, 4711),
        sync_id_event(SYNC_SYSTEM_NONE, stream, 4711),
        sync_id_event(SYNC_SYSTEM_ALTINN3, sync_bytes_text("altinn3-status.2"), 4711),
        sync_id_event(SYNC_SYSTEM_ALTINN3, stream, -4711),
    };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_int_not_equal(sync_uuid_compare(&id, &others[i]), 0);
    }
}

static void a_row_of_a_snapshot_has_its_id_before_the_number(void **state)
{
    (void)state;
    struct sync_bytes stream = sync_bytes_text("a3.change.1");
    const char *snapshot = "11111111-2222-4333-8444-555555555555";
    struct sync_uuid id = sync_id_event_of(SYNC_SYSTEM_ALTINN3, stream, snapshot, 7);
    struct sync_uuid whole =
        sync_id_event(SYNC_SYSTEM_ALTINN3,
                      sync_bytes_text("a3.change.1/11111111-2222-4333-8444-555555555555"), 7);
    struct sync_uuid tick = sync_id_event_of(SYNC_SYSTEM_ALTINN3, stream, "tick", 7);
    struct sync_uuid bare = sync_id_event_of(SYNC_SYSTEM_ALTINN3, stream, "", 7);
    struct sync_uuid live = sync_id_event(SYNC_SYSTEM_ALTINN3, stream, 7);
    assert_int_equal(sync_uuid_compare(&id, &whole), 0);
    assert_int_equal(sync_uuid_compare(&bare, &live), 0);
    assert_int_not_equal(sync_uuid_compare(&tick, &live), 0);
    check_text(&tick, "8aab0dd3-8dc1-545e-9fbd-79d63acd3aba");
}

static void version_7_is_a_time_and_a_digest(void **state)
{
    (void)state;
    struct sync_digest digest;
    memset(&digest, 0xff, sizeof digest);
    struct sync_uuid id = sync_id_v7(1741078800123456, &digest);
    check_text(&id, "01956062-26fb-7fff-bfff-ffffffffffff");
    memset(&digest, 0, sizeof digest);
    id = sync_id_v7(INT64_MIN, &digest);
    check_text(&id, "00000000-0000-7000-8000-000000000000"); /* no time counts as 1970 */
    struct sync_digest other = digest;
    other.bytes[9] = 1;
    struct sync_uuid far = sync_id_v7(INT64_MIN, &other);
    assert_int_not_equal(sync_uuid_compare(&far, &id), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_in_the_dns_namespace_gives_the_value_of_the_rfc),
        cmocka_unit_test(an_empty_name_is_a_name),
        cmocka_unit_test(an_event_has_the_id_of_the_protocol),
        cmocka_unit_test(each_part_of_an_event_changes_its_id),
        cmocka_unit_test(a_row_of_a_snapshot_has_its_id_before_the_number),
        cmocka_unit_test(version_7_is_a_time_and_a_digest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
