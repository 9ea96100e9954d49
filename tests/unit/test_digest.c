/* Shows digests and partitions against values computed elsewhere (sha256sum, Kafka's Java client,
 * xxhash's own one-shot call), and that each part of a record counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/digest.h"

static struct sync_bytes text(const char *value)
{
    return sync_bytes_text(value);
}

static void the_digest_covers_offset_time_key_and_value_in_this_order(void **state)
{
    (void)state;
    /* xxhsum -H2 over 00 00 00 00 00 00 00 05, 00 … 07, 00 00 00 01 "k", 00 00 00 02 "vw" */
    static const uint8_t wanted[] = {0xce, 0x03, 0x0c, 0x17, 0xa0, 0x57, 0xfd, 0x41,
                                     0xf2, 0x56, 0x8d, 0x1b, 0x6c, 0x22, 0xaa, 0x56};
    struct sync_digest digest = sync_digest_record(5, 7, text("k"), text("vw"));
    assert_memory_equal(digest.bytes, wanted, sizeof digest.bytes);
}

static void a_null_key_differs_from_an_empty_one(void **state)
{
    (void)state;
    struct sync_bytes null = {NULL, 0};
    struct sync_digest a = sync_digest_record(1, 2, null, text("v"));
    struct sync_digest b = sync_digest_record(1, 2, text(""), text("v"));
    assert_memory_not_equal(a.bytes, b.bytes, sizeof a.bytes);
}

static void a_byte_that_moves_from_key_to_value_changes_the_digest(void **state)
{
    (void)state;
    struct sync_digest a = sync_digest_record(1, 2, text("ab"), text("c"));
    struct sync_digest b = sync_digest_record(1, 2, text("a"), text("bc"));
    assert_memory_not_equal(a.bytes, b.bytes, sizeof a.bytes);
}

static void another_offset_or_time_changes_the_digest(void **state)
{
    (void)state;
    struct sync_digest a = sync_digest_record(1, 2, text("k"), text("v"));
    struct sync_digest b = sync_digest_record(2, 2, text("k"), text("v"));
    struct sync_digest c = sync_digest_record(1, 3, text("k"), text("v"));
    assert_memory_not_equal(a.bytes, b.bytes, sizeof a.bytes);
    assert_memory_not_equal(a.bytes, c.bytes, sizeof a.bytes);
}

static void sha256_gives_the_published_values(void **state)
{
    (void)state;
    static const uint8_t of_abc[] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea,
                                     0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23,
                                     0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c,
                                     0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
    static const uint8_t of_nothing[] = {0xe3, 0xb0, 0xc4, 0x42};
    uint8_t sum[32];
    sync_digest_sha256(text("abc"), sum);
    assert_memory_equal(sum, of_abc, sizeof sum);
    sync_digest_sha256((struct sync_bytes){NULL, 0}, sum);
    assert_memory_equal(sum, of_nothing, sizeof of_nothing);
}

static void a_key_gets_the_partition_of_the_java_client(void **state)
{
    (void)state;
    assert_int_equal(sync_digest_partition(text("7001"), 48), 26);
    assert_int_equal(sync_digest_partition(text("8100"), 48), 15);
}

/* Values of the tests of Kafka's own Utils.murmur2, taken modulo 2^31 - 1 with the sign bit
 * cleared. */
static void keys_of_every_rest_length_hash_as_in_java(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        int32_t hash;
    } rows[] = {
        {"21", -973932308},
        {"foobar", -790332482},
        {"a-little-bit-long-string", -985981536},
        {"a-little-bit-longer-string", -1486304829},
        {"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971},
        {"abc", 479470107},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int32_t wanted = (int32_t)((uint32_t)(rows[i].hash & 0x7FFFFFFF) % 2147483647U);
        assert_int_equal(sync_digest_partition(text(rows[i].key), 2147483647), wanted);
    }
}

static void parts_that_are_cut_elsewhere_differ(void **state)
{
    (void)state;
    const struct sync_bytes one[] = {text("ab"), text("c")};
    const struct sync_bytes two[] = {text("a"), text("bc")};
    const struct sync_bytes three[] = {text("ab"), text("c"), text("")};
    struct sync_digest a = sync_digest_parts(one, 2), b = sync_digest_parts(two, 2);
    struct sync_digest c = sync_digest_parts(three, 3), again = sync_digest_parts(one, 2);
    assert_memory_not_equal(&a, &b, sizeof a);
    assert_memory_not_equal(&a, &c, sizeof a);
    assert_memory_equal(&a, &again, sizeof a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_digest_covers_offset_time_key_and_value_in_this_order),
        cmocka_unit_test(a_null_key_differs_from_an_empty_one),
        cmocka_unit_test(a_byte_that_moves_from_key_to_value_changes_the_digest),
        cmocka_unit_test(another_offset_or_time_changes_the_digest),
        cmocka_unit_test(sha256_gives_the_published_values),
        cmocka_unit_test(a_key_gets_the_partition_of_the_java_client),
        cmocka_unit_test(keys_of_every_rest_length_hash_as_in_java),
        cmocka_unit_test(parts_that_are_cut_elsewhere_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
