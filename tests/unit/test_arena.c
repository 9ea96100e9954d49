/* Shows that an arena hands out zeroed, aligned memory inside its bound and says so when it is
 * full. */
#include "core/arena.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct room {
    _Alignas(max_align_t) uint8_t memory[256];
    struct sync_arena arena;
};

static void start(struct room *room)
{
    memset(room->memory, 0xAA, sizeof room->memory);
    sync_arena_init(&room->arena, room->memory, sizeof room->memory);
}

static void memory_is_zeroed_and_aligned_for_any_type(void **context)
{
    (void)context;
    struct room room;
    start(&room);
    for (size_t size = 1; size < 9; size++) {
        uint8_t *memory = sync_arena_take(&room.arena, size);
        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % _Alignof(max_align_t), 0);
        for (size_t i = 0; i < size; i++) {
            assert_int_equal(memory[i], 0);
        }
        memset(memory, 0xFF, size);
    }
}

static void what_does_not_fit_is_refused_and_takes_nothing(void **context)
{
    (void)context;
    struct room room;
    start(&room);
    assert_null(sync_arena_take(&room.arena, sizeof room.memory + 1));
    assert_null(sync_arena_take(&room.arena, SIZE_MAX));
    assert_int_equal(room.arena.used, 0);
    assert_non_null(sync_arena_take(&room.arena, sizeof room.memory));
    assert_null(sync_arena_take(&room.arena, 1));
    assert_int_equal(room.arena.used, sizeof room.memory);
}

static void the_padding_of_the_last_piece_never_passes_the_bound(void **context)
{
    (void)context;
    uint8_t *memory = (uint8_t[32]){0};
    struct sync_arena arena;
    sync_arena_init(&arena, memory, 17);
    assert_non_null(sync_arena_take(&arena, 17));
    assert_null(sync_arena_take(&arena, 0));
    assert_int_equal(arena.used, 17);
}

static void a_product_that_overflows_is_refused(void **context)
{
    (void)context;
    struct room room;
    start(&room);
    assert_null(sync_arena_take_array(&room.arena, SIZE_MAX / 2, 3));
    assert_null(sync_arena_take_array(&room.arena, 2, SIZE_MAX / 2 + 1));
    assert_non_null(sync_arena_take_array(&room.arena, 8, 8));
}

static void a_copy_ends_with_a_nul_and_may_be_empty(void **context)
{
    (void)context;
    struct room room;
    start(&room);
    struct sync_bytes copy = sync_arena_copy(&room.arena, sync_bytes_text("status"));
    assert_string_equal((const char *)copy.data, "status");
    assert_int_equal(copy.size, 6);
    copy = sync_arena_copy(&room.arena, (struct sync_bytes){NULL, 0});
    assert_non_null(copy.data);
    assert_int_equal(copy.size, 0);
    assert_int_equal(copy.data[0], 0);
}

static void a_copy_that_does_not_fit_has_no_data(void **context)
{
    (void)context;
    struct room room;
    start(&room);
    uint8_t bytes[sizeof room.memory] = {1};
    struct sync_bytes copy = sync_arena_copy(&room.arena, (struct sync_bytes){bytes, sizeof bytes});
    assert_null(copy.data);
    assert_int_equal(copy.size, 0);
    assert_non_null(
        sync_arena_copy(&room.arena, (struct sync_bytes){bytes, sizeof bytes - 1}).data);
}

static void a_reset_gives_back_what_came_after_the_mark(void **context)
{
    (void)context;
    struct room room;
    start(&room);
    void *kept = sync_arena_take(&room.arena, 16);
    size_t mark = sync_arena_mark(&room.arena);
    void *first = sync_arena_take(&room.arena, 32);
    memset(first, 0xFF, 32);
    sync_arena_reset(&room.arena, mark);
    uint8_t *again = sync_arena_take(&room.arena, 32);
    assert_ptr_equal(again, first);
    assert_ptr_not_equal(again, kept);
    assert_int_equal(again[31], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zeroed_and_aligned_for_any_type),
        cmocka_unit_test(what_does_not_fit_is_refused_and_takes_nothing),
        cmocka_unit_test(the_padding_of_the_last_piece_never_passes_the_bound),
        cmocka_unit_test(a_product_that_overflows_is_refused),
        cmocka_unit_test(a_copy_ends_with_a_nul_and_may_be_empty),
        cmocka_unit_test(a_copy_that_does_not_fit_has_no_data),
        cmocka_unit_test(a_reset_gives_back_what_came_after_the_mark),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
