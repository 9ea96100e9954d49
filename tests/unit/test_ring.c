/*
 * Rings and wake-ups: order, bounds, release in any order, and one thread on each side with random
 * sizes (the seed is printed and taken from SYNC_SEED).
 */
#include "runtime/ring.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct sync_ring *new_ring(size_t bytes_max, size_t items_max)
{
    struct sync_ring *ring = NULL;
    struct sync_error err = {0};
    struct sync_ring_options options = {.bytes_max = bytes_max, .items_max = items_max};
    assert_true(sync_is_ok(sync_ring_new(&options, &ring, &err)));
    return ring;
}

static char *next_text(struct sync_ring *ring, const void *after)
{
    size_t size = 0;
    return sync_ring_next(ring, after, &size);
}

/* Items come out in the order they went in, and an empty ring gives none. */
static void items_come_out_in_order(void **state)
{
    (void)state;
    struct sync_ring *ring = new_ring(4096, 0);
    assert_null(next_text(ring, NULL));
    assert_true(sync_ring_put(ring, "one", 4));
    assert_true(sync_ring_put(ring, "two", 4));
    char *one = next_text(ring, NULL);
    assert_string_equal(one, "one");
    char *two = next_text(ring, one);
    assert_string_equal(two, "two");
    assert_null(next_text(ring, two));
    sync_ring_release(ring, one);
    assert_string_equal(next_text(ring, NULL), "two");
    sync_ring_free(&ring);
    assert_null(ring);
}

/* A reserved item is not there before its commit. */
static void a_reserved_item_is_not_visible_before_commit(void **state)
{
    (void)state;
    struct sync_ring *ring = new_ring(4096, 0);
    char *memory = sync_ring_reserve(ring, 4);
    assert_non_null(memory);
    memcpy(memory, "abc", 4);
    assert_null(next_text(ring, NULL));
    assert_int_equal(sync_ring_items(ring), 0);
    sync_ring_commit(ring);
    assert_string_equal(next_text(ring, NULL), "abc");
    assert_int_equal(sync_ring_items(ring), 1);
    sync_ring_free(&ring);
}

/* A full ring refuses, whatever limit is reached; nothing is overwritten. */
static void a_full_ring_refuses(void **state)
{
    (void)state;
    struct sync_ring *ring = new_ring(1024, 0);
    size_t count = 0;
    char data[100] = "first";
    while (sync_ring_put(ring, data, sizeof data)) {
        data[0] = 'x';
        count++;
    }
    assert_in_range(count, 6, 10);
    assert_string_equal(next_text(ring, NULL), "first");
    sync_ring_free(&ring);

    ring = new_ring(1024, 2);
    assert_true(sync_ring_put(ring, "a", 2));
    assert_true(sync_ring_put(ring, "b", 2));
    assert_false(sync_ring_put(ring, "c", 2));
    sync_ring_release(ring, next_text(ring, NULL));
    assert_true(sync_ring_put(ring, "c", 2));
    sync_ring_free(&ring);
}

/* An item of more than half a ring could wait for ever behind a filler: it is refused. */
static void an_item_larger_than_half_the_ring_is_refused(void **state)
{
    (void)state;
    struct sync_ring *ring = new_ring(1024, 0);
    assert_null(sync_ring_reserve(ring, 513));
    assert_non_null(sync_ring_reserve(ring, 512));
    sync_ring_free(&ring);
}

/* Released behind a waiting item: the memory comes back only when the oldest is released. */
static void room_comes_back_with_the_oldest_item(void **state)
{
    (void)state;
    struct sync_ring *ring = new_ring(1024, 0);
    assert_true(sync_ring_put(ring, "a", 2));
    assert_true(sync_ring_put(ring, "b", 2));
    size_t bytes = sync_ring_bytes(ring);
    char *a = next_text(ring, NULL);
    char *b = next_text(ring, a);
    sync_ring_release(ring, b);
    assert_int_equal(sync_ring_bytes(ring), bytes);
    assert_string_equal(next_text(ring, NULL), "a");
    sync_ring_release(ring, a);
    assert_int_equal(sync_ring_bytes(ring), 0);
    sync_ring_free(&ring);
}

/* A taken item is passed over until it is put back, then it is the oldest again. */
static void a_taken_item_is_passed_over_until_put_back(void **state)
{
    (void)state;
    struct sync_ring *ring = new_ring(1024, 0);
    assert_true(sync_ring_put(ring, "a", 2));
    assert_true(sync_ring_put(ring, "b", 2));
    char *a = next_text(ring, NULL);
    sync_ring_take(ring, a);
    assert_string_equal(next_text(ring, NULL), "b");
    sync_ring_put_back(ring, a);
    assert_string_equal(next_text(ring, NULL), "a");
    sync_ring_free(&ring);
}

/* A wake-up raised before the wait ends it; twice counts once; without one the wait times out. */
static void a_wake_up_is_neither_lost_nor_doubled(void **state)
{
    (void)state;
    struct sync_wake wake;
    struct sync_error err = {0};
    assert_true(sync_is_ok(sync_wake_init(&wake, &err)));
    assert_false(sync_wake_wait(&wake, 0));
    sync_wake_raise(&wake);
    sync_wake_raise(&wake);
    assert_true(sync_wake_wait(&wake, 1000));
    assert_false(sync_wake_wait(&wake, 0));
    sync_wake_done(&wake);
}

/* Two threads ---------------------------------------------------------------------------- */

#define TRANSFER_COUNT 100000

struct transfer {
    struct sync_ring *ring;
    struct sync_wake filled, drained;
    unsigned seed;
};

struct message {
    uint32_t number, size, sum;
    uint8_t bytes[300];
};

static uint32_t sum_of(const struct message *message)
{
    uint32_t sum = message->number;
    for (uint32_t i = 0; i < message->size; i++) {
        sum = sum * 31 + message->bytes[i];
    }
    return sum;
}

static void *produce(void *context)
{
    struct transfer *t = context;
    struct message message = {0};
    for (uint32_t i = 0; i < TRANSFER_COUNT; i++) {
        message.number = i;
        message.size = (uint32_t)rand_r(&t->seed) % sizeof message.bytes;
        for (uint32_t j = 0; j < message.size; j++) {
            message.bytes[j] = (uint8_t)(i + j);
        }
        message.sum = sum_of(&message);
        while (!sync_ring_put(t->ring, &message, offsetof(struct message, bytes) + message.size)) {
            (void)sync_wake_wait(&t->drained, 1000);
        }
    }
    return NULL;
}

/* Nothing is lost, doubled or torn while the consumer takes up to three items and releases them
 * backwards. */
static void two_threads_pass_every_item_once_and_whole(void **state)
{
    (void)state;
    const char *text = getenv("SYNC_SEED");
    struct transfer t = {.seed = text != NULL ? (unsigned)strtoul(text, NULL, 10) : 20250304U};
    print_message("seed %u\n", t.seed);
    struct sync_error err = {0};
    assert_true(sync_is_ok(sync_wake_init(&t.filled, &err)));
    assert_true(sync_is_ok(sync_wake_init(&t.drained, &err)));
    struct sync_ring_options options = {4096, 0, &t.filled, &t.drained};
    assert_true(sync_is_ok(sync_ring_new(&options, &t.ring, &err)));
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, produce, &t), 0);
    uint32_t expected = 0;
    while (expected < TRANSFER_COUNT) {
        struct message *taken[3];
        size_t count = 0;
        size_t size = 0;
        struct message *item = sync_ring_next(t.ring, NULL, &size);
        while (item != NULL && count < 3) {
            assert_int_equal(item->number, expected++);
            assert_int_equal(size, offsetof(struct message, bytes) + item->size);
            assert_int_equal(item->sum, sum_of(item));
            taken[count++] = item;
            item = sync_ring_next(t.ring, item, &size);
        }
        while (count > 0) {
            sync_ring_release(t.ring, taken[--count]);
        }
        if (item == NULL && expected < TRANSFER_COUNT) {
            (void)sync_wake_wait(&t.filled, 1000);
        }
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(sync_ring_items(t.ring), 0);
    sync_ring_free(&t.ring);
    sync_wake_done(&t.filled);
    sync_wake_done(&t.drained);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_come_out_in_order),
        cmocka_unit_test(a_reserved_item_is_not_visible_before_commit),
        cmocka_unit_test(a_full_ring_refuses),
        cmocka_unit_test(an_item_larger_than_half_the_ring_is_refused),
        cmocka_unit_test(room_comes_back_with_the_oldest_item),
        cmocka_unit_test(a_taken_item_is_passed_over_until_put_back),
        cmocka_unit_test(a_wake_up_is_neither_lost_nor_doubled),
        cmocka_unit_test(two_threads_pass_every_item_once_and_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
