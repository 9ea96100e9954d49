/*
 * Shows that the reader of replication messages takes every message apart and that nothing hostile
 * gets past it: each message cut at every byte, counts and lengths that lie, bytes behind the end,
 * and random bytes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../connectors/altinn3/pgoutput.h"

/* A message under construction. */
struct text {
    uint8_t data[512];
    size_t size;
};

static void put(struct text *text, uint64_t number, size_t size)
{
    assert_true(text->size + size <= sizeof text->data);
    for (size_t i = 0; i < size; i++) {
        text->data[text->size++] = (uint8_t)(number >> (8 * (size - 1 - i)));
    }
}

static void put_text(struct text *text, const char *value)
{
    memcpy(text->data + text->size, value, strlen(value) + 1);
    text->size += strlen(value) + 1;
}

static void put_cell(struct text *text, char kind, const char *value)
{
    put(text, (uint8_t)kind, 1);
    if (value) {
        put(text, strlen(value), 4);
        memcpy(text->data + text->size, value, strlen(value));
        text->size += strlen(value);
    }
}

static struct pgoutput_message message; /* large */

static sync_status read_bytes(const uint8_t *data, size_t size, struct sync_error *err)
{
    /* A copy of exact size, so that the sanitizer sees a read past the end. */
    uint8_t *copy = malloc(size > 0 ? size : 1);
    assert_non_null(copy);
    memcpy(copy, data, size);
    sync_status status = pgoutput_message_read((struct sync_bytes){copy, size}, &message, err);
    free(copy);
    return status;
}

static sync_status read_text(const struct text *text)
{
    struct sync_error err;
    return pgoutput_message_read((struct sync_bytes){text->data, text->size}, &message, &err);
}

static void assert_refused(const uint8_t *data, size_t size)
{
    struct sync_error err = {.code = SYNC_CODE_NONE};
    assert_int_equal(read_bytes(data, size, &err).class, SYNC_CLASS_FATAL);
    assert_int_equal(err.code, SYNC_CODE_PROTOCOL);
    assert_true(strlen(err.text) > 0);
}

static struct text begin_text(void)
{
    struct text text = {.size = 0};
    put(&text, 'B', 1);
    put(&text, 0x1000002000, 8);
    put(&text, 86400000000, 8); /* a day after 2000 */
    put(&text, 77, 4);
    return text;
}

static struct text commit_text(void)
{
    struct text text = {.size = 0};
    put(&text, 'C', 1);
    put(&text, 0, 1);
    put(&text, 0x10, 8);
    put(&text, 0x20, 8);
    put(&text, 0, 8);
    return text;
}

static struct text origin_text(void)
{
    struct text text = {.size = 0};
    put(&text, 'O', 1);
    put(&text, 5, 8);
    put_text(&text, "sync:status-to-altinn3:1");
    return text;
}

static struct text relation_text(void)
{
    struct text text = {.size = 0};
    put(&text, 'R', 1);
    put(&text, 16384, 4);
    put_text(&text, "correspondence");
    put_text(&text, "CorrespondenceStatuses");
    put(&text, 'd', 1);
    put(&text, 2, 2);
    put(&text, 1, 1);
    put_text(&text, "Id");
    put(&text, 2950, 4);
    put(&text, 0xffffffff, 4);
    put(&text, 0, 1);
    put_text(&text, "Status");
    put(&text, 23, 4);
    put(&text, 0xffffffff, 4);
    return text;
}

static struct text type_text(void)
{
    struct text text = {.size = 0};
    put(&text, 'Y', 1);
    put(&text, 99, 4);
    put_text(&text, "public");
    put_text(&text, "hstore");
    return text;
}

static struct text insert_text(void)
{
    struct text text = {.size = 0};
    put(&text, 'I', 1);
    put(&text, 16384, 4);
    put(&text, 'N', 1);
    put(&text, 4, 2);
    put_cell(&text, 'b', "0123");
    put_cell(&text, 'n', NULL);
    put_cell(&text, 't', "");
    put_cell(&text, 'u', NULL);
    return text;
}

static struct text update_text(char old)
{
    struct text text = {.size = 0};
    put(&text, 'U', 1);
    put(&text, 16384, 4);
    if (old) {
        put(&text, (uint8_t)old, 1);
        put(&text, 1, 2);
        put_cell(&text, 'b', "old");
    }
    put(&text, 'N', 1);
    put(&text, 1, 2);
    put_cell(&text, 'b', "new");
    return text;
}

static struct text delete_text(void)
{
    struct text text = {.size = 0};
    put(&text, 'D', 1);
    put(&text, 16384, 4);
    put(&text, 'K', 1);
    put(&text, 1, 2);
    put_cell(&text, 'b', "key");
    return text;
}

static struct text truncate_text(void)
{
    struct text text = {.size = 0};
    put(&text, 'T', 1);
    put(&text, 2, 4);
    put(&text, 1, 1);
    put(&text, 16384, 4);
    put(&text, 16385, 4);
    return text;
}

static struct text logical_text(void)
{
    struct text text = {.size = 0};
    put(&text, 'M', 1);
    put(&text, 0, 1);
    put(&text, 0xabc, 8);
    put_text(&text, "altinn-sync");
    put(&text, 4, 4);
    put(&text, 0x62656174, 4);
    return text;
}

static void every_message_is_read(void **state)
{
    (void)state;
    struct text text = begin_text();
    assert_true(sync_is_ok(read_text(&text)));
    assert_int_equal(message.type, PGOUTPUT_BEGIN);
    assert_int_equal(message.lsn, 0x1000002000);
    assert_int_equal(message.committed_us, 946684800000000 + 86400000000);
    assert_int_equal(message.transaction_id, 77);
    text = commit_text();
    assert_true(sync_is_ok(read_text(&text)));
    assert_int_equal(message.type, PGOUTPUT_COMMIT);
    assert_int_equal(message.lsn, 0x10);
    assert_int_equal(message.end_lsn, 0x20);
    text = origin_text();
    assert_true(sync_is_ok(read_text(&text)));
    assert_true(sync_bytes_equal(message.name, sync_bytes_text("sync:status-to-altinn3:1")));
    text = type_text();
    assert_true(sync_is_ok(read_text(&text)));
    assert_int_equal(message.relation_id, 99);
    text = truncate_text();
    assert_true(sync_is_ok(read_text(&text)));
    assert_int_equal(message.relation_count, 2);
    text = logical_text();
    assert_true(sync_is_ok(read_text(&text)));
    assert_true(sync_bytes_equal(message.content, sync_bytes_text("beat")));
    assert_false(message.transactional);
}

static void a_relation_gives_its_columns(void **state)
{
    (void)state;
    struct text text = relation_text();
    assert_true(sync_is_ok(read_text(&text)));
    assert_int_equal(message.type, PGOUTPUT_RELATION);
    assert_int_equal(message.relation_id, 16384);
    assert_true(sync_bytes_equal(message.name, sync_bytes_text("CorrespondenceStatuses")));
    assert_int_equal(message.column_count, 2);
    assert_true(message.columns[0].key);
    assert_false(message.columns[1].key);
    assert_true(sync_bytes_equal(message.columns[1].name, sync_bytes_text("Status")));
    assert_int_equal(message.columns[1].type_id, 23);
}

static void null_unchanged_empty_and_binary_cells_stay_apart(void **state)
{
    (void)state;
    struct text text = insert_text();
    assert_true(sync_is_ok(read_text(&text)));
    assert_int_equal(message.type, PGOUTPUT_INSERT);
    assert_int_equal(message.row.count, 4);
    assert_int_equal(message.row.cells[0].kind, PGOUTPUT_BINARY);
    assert_true(sync_bytes_equal(message.row.cells[0].value, sync_bytes_text("0123")));
    assert_int_equal(message.row.cells[1].kind, PGOUTPUT_NULL);
    assert_int_equal(message.row.cells[2].kind, PGOUTPUT_TEXT);
    assert_int_equal(message.row.cells[2].value.size, 0);
    assert_int_equal(message.row.cells[3].kind, PGOUTPUT_UNCHANGED);
}

static void an_update_has_an_old_row_only_when_it_is_sent(void **state)
{
    (void)state;
    struct text text = update_text('O');
    assert_true(sync_is_ok(read_text(&text)));
    assert_true(message.has_old);
    assert_true(sync_bytes_equal(message.old.cells[0].value, sync_bytes_text("old")));
    assert_true(sync_bytes_equal(message.row.cells[0].value, sync_bytes_text("new")));
    text = update_text(0);
    assert_true(sync_is_ok(read_text(&text)));
    assert_false(message.has_old);
    text = delete_text();
    assert_true(sync_is_ok(read_text(&text)));
    assert_true(message.has_old);
}

static void every_message_cut_at_any_byte_is_refused(void **state)
{
    (void)state;
    const struct text texts[] = {begin_text(),   commit_text(),   origin_text(), relation_text(),
                                 type_text(),    insert_text(),   delete_text(), update_text('K'),
                                 update_text(0), truncate_text(), logical_text()};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        for (size_t size = 0; size < texts[i].size; size++) {
            assert_refused(texts[i].data, size);
        }
    }
}

static void every_message_with_a_byte_behind_its_end_is_refused(void **state)
{
    (void)state;
    struct text texts[] = {begin_text(),   commit_text(),   origin_text(), relation_text(),
                           type_text(),    insert_text(),   delete_text(), update_text('K'),
                           update_text(0), truncate_text(), logical_text()};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        put(&texts[i], 0, 1);
        assert_refused(texts[i].data, texts[i].size);
    }
}

static void an_unknown_message_is_refused(void **state)
{
    (void)state;
    const uint8_t letters[] = {0, 'S', 'E', 'c', 'A', 'b', 'k', 'r', 0xff};
    for (size_t i = 0; i < sizeof letters; i++) {
        assert_refused(&letters[i], 1);
    }
}

static void a_cell_longer_than_the_message_is_refused(void **state)
{
    (void)state;
    const uint64_t lengths[] = {5, 0x7fffffff, 0x80000000, 0xffffffff};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        struct text text = {.size = 0};
        put(&text, 'I', 1);
        put(&text, 1, 4);
        put(&text, 'N', 1);
        put(&text, 1, 2);
        put(&text, 'b', 1);
        put(&text, lengths[i], 4);
        put(&text, 0, 4);
        assert_refused(text.data, text.size);
    }
}

static void more_columns_than_a_table_can_have_are_refused(void **state)
{
    (void)state;
    static uint8_t data[8 + 65535];
    memset(data, 'n', sizeof data);
    const uint8_t head[] = {'I', 0, 0, 0, 1, 'N', 0xff, 0xff};
    memcpy(data, head, sizeof head);
    assert_refused(data, sizeof data);
    data[6] = (PGOUTPUT_COLUMNS_MAX + 1) >> 8;
    data[7] = (PGOUTPUT_COLUMNS_MAX + 1) & 0xff;
    assert_refused(data, 8 + PGOUTPUT_COLUMNS_MAX + 1);
    data[6] = PGOUTPUT_COLUMNS_MAX >> 8;
    data[7] = PGOUTPUT_COLUMNS_MAX & 0xff;
    struct sync_error err;
    assert_true(sync_is_ok(read_bytes(data, 8 + PGOUTPUT_COLUMNS_MAX, &err)));
    assert_int_equal(message.row.count, PGOUTPUT_COLUMNS_MAX);
}

static void a_truncate_that_lies_about_its_count_is_refused(void **state)
{
    (void)state;
    const uint64_t counts[] = {1, 3, 0x40000000, 0x40000002, 0xffffffff};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        struct text text = truncate_text();
        text.size = 1;
        put(&text, counts[i], 4);
        text.size = truncate_text().size;
        assert_refused(text.data, text.size);
    }
}

static void a_delete_without_old_row_and_an_update_without_new_row_are_refused(void **state)
{
    (void)state;
    struct text text = delete_text();
    text.data[5] = 'N';
    assert_refused(text.data, text.size);
    text = update_text(0);
    text.data[5] = 'X';
    assert_refused(text.data, text.size);
}

static void random_bytes_never_hurt(void **state)
{
    (void)state;
    unsigned seed = 20250301;
    if (getenv("SYNC_SEED")) {
        seed = (unsigned)strtoul(getenv("SYNC_SEED"), NULL, 10);
    }
    print_message("SYNC_SEED=%u\n", seed);
    const struct text texts[] = {relation_text(), insert_text(), update_text('O'), truncate_text()};
    for (int round = 0; round < 20000; round++) {
        struct text text = texts[round % 4];
        for (int change = 0; change < 3; change++) {
            text.data[(size_t)rand_r(&seed) % text.size] = (uint8_t)rand_r(&seed);
        }
        struct sync_error err = {.code = SYNC_CODE_NONE};
        if (!sync_is_ok(read_bytes(text.data, text.size, &err))) {
            assert_int_equal(err.code, SYNC_CODE_PROTOCOL);
        }
    }
}

static void frames_are_read(void **state)
{
    (void)state;
    struct text text = {.size = 0};
    put(&text, 'w', 1);
    put(&text, 11, 8);
    put(&text, 12, 8);
    put(&text, 0, 8);
    put_text(&text, "body");
    struct pgoutput_frame frame;
    struct sync_error err;
    assert_true(
        sync_is_ok(pgoutput_frame_read((struct sync_bytes){text.data, text.size}, &frame, &err)));
    assert_int_equal(frame.type, PGOUTPUT_FRAME_DATA);
    assert_int_equal(frame.lsn, 11);
    assert_int_equal(frame.sent_us, 946684800000000);
    assert_int_equal(frame.body.size, 5);
    text.size = 0;
    put(&text, 'k', 1);
    put(&text, 13, 8);
    put(&text, 0, 8);
    put(&text, 1, 1);
    assert_true(
        sync_is_ok(pgoutput_frame_read((struct sync_bytes){text.data, text.size}, &frame, &err)));
    assert_int_equal(frame.type, PGOUTPUT_FRAME_KEEPALIVE);
    assert_int_equal(frame.end_lsn, 13);
    assert_true(frame.reply_requested);
}

static void a_frame_cut_short_is_refused(void **state)
{
    (void)state;
    struct text data = {.size = 0};
    put(&data, 'w', 1);
    put(&data, 0, 8);
    put(&data, 0, 8);
    put(&data, 0, 8);
    struct text alive = {.size = 0};
    put(&alive, 'k', 1);
    put(&alive, 0, 8);
    put(&alive, 0, 8);
    put(&alive, 0, 1);
    for (size_t size = 0; size < 26; size++) {
        struct pgoutput_frame frame;
        struct sync_error err = {.code = SYNC_CODE_NONE};
        if (size < data.size) {
            assert_false(sync_is_ok(
                pgoutput_frame_read((struct sync_bytes){data.data, size}, &frame, &err)));
            assert_int_equal(err.code, SYNC_CODE_PROTOCOL);
        }
        if (size != alive.size && size < sizeof alive.data) {
            assert_false(sync_is_ok(
                pgoutput_frame_read((struct sync_bytes){alive.data, size}, &frame, &err)));
        }
    }
    struct pgoutput_frame frame;
    struct sync_error err;
    assert_false(sync_is_ok(pgoutput_frame_read(sync_bytes_text("d1234"), &frame, &err)));
}

static void positions_are_written_as_postgresql_writes_them(void **state)
{
    (void)state;
    char text[PGOUTPUT_LSN_BUFFER];
    uint64_t lsn = 0;
    pgoutput_lsn_format(0x16B374D848, text);
    assert_string_equal(text, "16/B374D848");
    assert_true(pgoutput_lsn_parse(sync_bytes_text(text), &lsn));
    assert_int_equal(lsn, 0x16B374D848);
    pgoutput_lsn_format(UINT64_MAX, text);
    assert_string_equal(text, "FFFFFFFF/FFFFFFFF");
    assert_true(pgoutput_lsn_parse(sync_bytes_text(text), &lsn));
    assert_true(lsn == UINT64_MAX);
}

static void what_is_no_position_is_refused(void **state)
{
    (void)state;
    const char *texts[] = {"",    "/",    "0",    "0/",   "/0",   "0/123456789",
                           "g/0", "0/0 ", " 0/0", "-1/0", "0/0/0"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        uint64_t lsn = 42;
        assert_false(pgoutput_lsn_parse(sync_bytes_text(texts[i]), &lsn));
        assert_int_equal(lsn, 42);
    }
}

static void infinite_and_distant_times_do_not_overflow(void **state)
{
    (void)state;
    assert_true(pgoutput_time_us(INT64_MIN) == INT64_MIN);
    assert_true(pgoutput_time_us(INT64_MAX) == INT64_MAX);
    assert_true(pgoutput_time_us(INT64_MAX - 1) == INT64_MAX - 1);
    assert_true(pgoutput_time_us(0) == 946684800000000);
    assert_true(pgoutput_time_us(-946684800000000) == 0);
}

static void the_status_update_has_the_form_of_the_protocol(void **state)
{
    (void)state;
    uint8_t bytes[PGOUTPUT_FEEDBACK_BYTES];
    pgoutput_feedback_write(0x0102, 0x03, 946684800000000 + 5, bytes);
    assert_int_equal(bytes[0], 'r');
    assert_int_equal(bytes[7], 1);
    assert_int_equal(bytes[8], 2);
    assert_int_equal(bytes[16], 3);
    assert_int_equal(bytes[24], 3);
    assert_int_equal(bytes[32], 5);
    assert_int_equal(bytes[33], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_message_is_read),
        cmocka_unit_test(a_relation_gives_its_columns),
        cmocka_unit_test(null_unchanged_empty_and_binary_cells_stay_apart),
        cmocka_unit_test(an_update_has_an_old_row_only_when_it_is_sent),
        cmocka_unit_test(every_message_cut_at_any_byte_is_refused),
        cmocka_unit_test(every_message_with_a_byte_behind_its_end_is_refused),
        cmocka_unit_test(an_unknown_message_is_refused),
        cmocka_unit_test(a_cell_longer_than_the_message_is_refused),
        cmocka_unit_test(more_columns_than_a_table_can_have_are_refused),
        cmocka_unit_test(a_truncate_that_lies_about_its_count_is_refused),
        cmocka_unit_test(a_delete_without_old_row_and_an_update_without_new_row_are_refused),
        cmocka_unit_test(random_bytes_never_hurt),
        cmocka_unit_test(frames_are_read),
        cmocka_unit_test(a_frame_cut_short_is_refused),
        cmocka_unit_test(positions_are_written_as_postgresql_writes_them),
        cmocka_unit_test(what_is_no_position_is_refused),
        cmocka_unit_test(infinite_and_distant_times_do_not_overflow),
        cmocka_unit_test(the_status_update_has_the_form_of_the_protocol),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
