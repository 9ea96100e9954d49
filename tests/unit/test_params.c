/* Shows the bytes of parameters against PostgreSQL's binary forms written out by hand, and that a
 * full arena is remembered. The server's own reading of them is shown by test_postgres.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/postgres.h"

static uint8_t memory[4096];
static struct sync_arena arena;
static struct sync_params params;

static int prepare(void **state)
{
    (void)state;
    sync_arena_init(&arena, memory, sizeof memory);
    sync_params_init(&params, &arena);
    return 0;
}

static void check(int at, uint32_t type, const void *bytes, int size)
{
    assert_int_equal(params.types[at], type);
    assert_int_equal(params.formats[at], 1);
    assert_int_equal(params.lengths[at], size);
    assert_memory_equal(params.values[at], bytes, (size_t)size);
    assert_false(params.full);
}

static void numbers_are_big_endian(void **state)
{
    (void)state;
    sync_params_bool(&params, true);
    sync_params_int2(&params, -2);
    sync_params_int4(&params, 0x01020304);
    sync_params_int8(&params, -1);
    check(0, 16, "\x01", 1);
    check(1, 21, "\xff\xfe", 2);
    check(2, 23, "\x01\x02\x03\x04", 4);
    check(3, 20, "\xff\xff\xff\xff\xff\xff\xff\xff", 8);
    assert_int_equal(params.count, 4);
}

static void times_count_from_2000_and_keep_infinities(void **state)
{
    (void)state;
    sync_params_time(&params, 946684800000001);
    sync_params_time(&params, INT64_MIN);
    sync_params_time(&params, INT64_MAX);
    check(0, 1184, "\0\0\0\0\0\0\0\1", 8);
    check(1, 1184, "\x80\0\0\0\0\0\0\0", 8);
    check(2, 1184, "\x7f\xff\xff\xff\xff\xff\xff\xff", 8);
}

static void a_time_below_the_range_does_not_become_infinity(void **state)
{
    (void)state;
    sync_params_time(&params, INT64_MIN + 1);
    sync_params_time(&params, INT64_MIN + 946684800000000);
    check(0, 1184, "\x80\0\0\0\0\0\0\1", 8);
    check(1, 1184, "\x80\0\0\0\0\0\0\1", 8);
}

static void null_and_empty_differ(void **state)
{
    (void)state;
    sync_params_text(&params, NULL);
    sync_params_text(&params, "");
    sync_params_bytes(&params, (struct sync_bytes){NULL, 0});
    sync_params_bytes(&params, (struct sync_bytes){memory, 0});
    sync_params_uuid(&params, NULL);
    assert_null(params.values[0]);
    assert_non_null(params.values[1]);
    assert_null(params.values[2]);
    assert_non_null(params.values[3]);
    assert_null(params.values[4]);
    assert_int_equal(params.types[4], 2950);
}

static void an_array_carries_its_header_and_its_nulls(void **state)
{
    (void)state;
    const int32_t values[] = {7, 8};
    const bool nulls[] = {false, true};
    sync_params_int4_array(&params, values, nulls, 2);
    static const char wanted[] = "\0\0\0\1"         /* one dimension */
                                 "\0\0\0\1"         /* has nulls */
                                 "\0\0\0\x17"       /* int4 */
                                 "\0\0\0\2\0\0\0\1" /* two elements from index 1 */
                                 "\0\0\0\4\0\0\0\7" /* 7 */
                                 "\xff\xff\xff\xff";
    check(0, 1007, wanted, sizeof wanted - 1);
}

static void an_empty_array_has_no_dimension(void **state)
{
    (void)state;
    sync_params_text_array(&params, NULL, 0);
    check(0, 1009, "\0\0\0\0\0\0\0\0\0\0\0\x19", 12);
}

static void text_elements_may_be_empty_or_null(void **state)
{
    (void)state;
    const struct sync_bytes values[] = {
        {(const uint8_t *)"ab", 2}, {(const uint8_t *)"", 0}, {NULL, 0}};
    sync_params_text_array(&params, values, 3);
    static const char wanted[] = "\0\0\0\1\0\0\0\1\0\0\0\x19\0\0\0\3\0\0\0\1"
                                 "\0\0\0\2ab"
                                 "\0\0\0\0"
                                 "\xff\xff\xff\xff";
    check(0, 1009, wanted, sizeof wanted - 1);
}

static void every_array_names_its_own_type(void **state)
{
    (void)state;
    const bool flag = true;
    const int16_t two = 2;
    const int64_t eight = 8;
    const struct sync_uuid id = {{1}};
    const struct sync_bytes bytes = {memory, 1};
    sync_params_bool_array(&params, &flag, NULL, 1);
    sync_params_int2_array(&params, &two, NULL, 1);
    sync_params_int8_array(&params, &eight, NULL, 1);
    sync_params_bytes_array(&params, &bytes, 1);
    sync_params_uuid_array(&params, &id, NULL, 1);
    sync_params_time_array(&params, &eight, NULL, 1);
    static const struct {
        uint32_t array, element;
        int element_size;
    } wanted[] = {{1000, 16, 1}, {1005, 21, 2},    {1016, 20, 8},
                  {1001, 17, 1}, {2951, 2950, 16}, {1185, 1184, 8}};
    for (int i = 0; i < 6; i++) {
        const uint8_t *value = (const uint8_t *)params.values[i];
        assert_int_equal(params.types[i], wanted[i].array);
        assert_int_equal(value[10] << 8 | value[11], wanted[i].element);
        assert_int_equal(value[23], wanted[i].element_size);
        assert_int_equal(params.lengths[i], 24 + wanted[i].element_size);
    }
}

static void a_full_arena_is_remembered(void **state)
{
    (void)state;
    static int64_t values[1000];
    sync_params_int8_array(&params, values, NULL, 1000);
    assert_true(params.full);
    assert_int_equal(params.count, 1);
    assert_null(params.values[0]);
    sync_params_int4(&params, 1);
    assert_true(params.full);
}

static void init_starts_anew(void **state)
{
    (void)state;
    sync_params_int4(&params, 1);
    params.full = true;
    sync_params_init(&params, &arena);
    assert_int_equal(params.count, 0);
    assert_false(params.full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(numbers_are_big_endian, prepare),
        cmocka_unit_test_setup(times_count_from_2000_and_keep_infinities, prepare),
        cmocka_unit_test_setup(a_time_below_the_range_does_not_become_infinity, prepare),
        cmocka_unit_test_setup(null_and_empty_differ, prepare),
        cmocka_unit_test_setup(an_array_carries_its_header_and_its_nulls, prepare),
        cmocka_unit_test_setup(an_empty_array_has_no_dimension, prepare),
        cmocka_unit_test_setup(text_elements_may_be_empty_or_null, prepare),
        cmocka_unit_test_setup(every_array_names_its_own_type, prepare),
        cmocka_unit_test_setup(a_full_arena_is_remembered, prepare),
        cmocka_unit_test_setup(init_starts_anew, prepare),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
