/* Message reader of the logical replication protocol. Every read asks for its bytes first. */
#include "pgoutput.h"

#include <stdio.h>

#define EPOCH_2000_US 946684800000000LL

/* What is left of a message. Once failed, every read gives zero and nothing moves. */
struct reader {
    const uint8_t *data;
    size_t size, offset;
    bool failed;
};

static const uint8_t *take(struct reader *reader, size_t size)
{
    if (reader->failed || size > reader->size - reader->offset) {
        reader->failed = true;
        return NULL;
    }
    const uint8_t *bytes = reader->data + reader->offset;
    reader->offset += size;
    return bytes;
}

static uint64_t take_number(struct reader *reader, size_t size)
{
    const uint8_t *bytes = take(reader, size);
    uint64_t number = 0;
    for (size_t i = 0; bytes && i < size; i++) {
        number = number << 8 | bytes[i];
    }
    return number;
}

static uint8_t take_byte(struct reader *reader)
{
    return (uint8_t)take_number(reader, 1);
}

static struct sync_bytes take_bytes(struct reader *reader, size_t size)
{
    const uint8_t *bytes = take(reader, size);
    return (struct sync_bytes){bytes, bytes ? size : 0};
}

/* Text up to a NUL that must be there; the NUL is not part of it. */
static struct sync_bytes take_text(struct reader *reader)
{
    if (reader->failed) {
        return (struct sync_bytes){NULL, 0};
    }
    const uint8_t *start = reader->data + reader->offset;
    const uint8_t *end =
        reader->size == reader->offset ? NULL : memchr(start, 0, reader->size - reader->offset);
    if (!end) {
        reader->failed = true;
        return (struct sync_bytes){NULL, 0};
    }
    struct sync_bytes text = take_bytes(reader, (size_t)(end - start));
    (void)take(reader, 1); /* the NUL was found above */
    return text;
}

static void take_cell(struct reader *reader, struct pgoutput_cell *ret_cell)
{
    *ret_cell = (struct pgoutput_cell){PGOUTPUT_NULL, {NULL, 0}};
    uint8_t letter = take_byte(reader);
    if (letter == 'n') {
        return;
    }
    if (letter == 'u') {
        ret_cell->kind = PGOUTPUT_UNCHANGED;
        return;
    }
    if (letter != 't' && letter != 'b') {
        reader->failed = true;
        return;
    }
    ret_cell->kind = letter == 't' ? PGOUTPUT_TEXT : PGOUTPUT_BINARY;
    ret_cell->value = take_bytes(reader, (size_t)take_number(reader, 4));
}

static void take_tuple(struct reader *reader, struct pgoutput_tuple *ret_tuple)
{
    size_t count = (size_t)take_number(reader, 2);
    ret_tuple->count = 0;
    if (count > PGOUTPUT_COLUMNS_MAX) {
        reader->failed = true;
    }
    for (size_t i = 0; i < count && !reader->failed; i++) {
        take_cell(reader, &ret_tuple->cells[i]);
        ret_tuple->count++;
    }
}

static void take_relation(struct reader *reader, struct pgoutput_message *ret_message)
{
    ret_message->relation_id = (uint32_t)take_number(reader, 4);
    ret_message->schema = take_text(reader);
    ret_message->name = take_text(reader);
    ret_message->replica_identity = (char)take_byte(reader);
    size_t count = (size_t)take_number(reader, 2);
    ret_message->column_count = 0;
    if (count > PGOUTPUT_COLUMNS_MAX) {
        reader->failed = true;
    }
    for (size_t i = 0; i < count && !reader->failed; i++) {
        struct pgoutput_column *column = &ret_message->columns[i];
        column->key = (take_byte(reader) & 1) != 0;
        column->name = take_text(reader);
        column->type_id = (uint32_t)take_number(reader, 4);
        (void)take(reader, 4); /* type modifier: lengths and scales do not matter to us */
        ret_message->column_count++;
    }
}

/* An update and a delete begin with the key ('K') or the old row ('O'), an update then has the new
 * row ('N'). */
static void take_old_and_new(struct reader *reader, struct pgoutput_message *ret_message)
{
    ret_message->relation_id = (uint32_t)take_number(reader, 4);
    uint8_t letter = take_byte(reader);
    ret_message->has_old = letter == 'K' || letter == 'O';
    if (ret_message->has_old) {
        take_tuple(reader, &ret_message->old);
    }
    if (ret_message->type == PGOUTPUT_DELETE) {
        reader->failed = reader->failed || !ret_message->has_old;
        return;
    }
    if (ret_message->has_old) {
        letter = take_byte(reader);
    }
    reader->failed = reader->failed || letter != 'N';
    take_tuple(reader, &ret_message->row);
}

static void take_insert(struct reader *reader, struct pgoutput_message *ret_message)
{
    ret_message->relation_id = (uint32_t)take_number(reader, 4);
    if (take_byte(reader) != 'N') {
        reader->failed = true;
    }
    take_tuple(reader, &ret_message->row);
}

static void take_truncate(struct reader *reader, struct pgoutput_message *ret_message)
{
    ret_message->relation_count = (size_t)take_number(reader, 4);
    (void)take_byte(reader); /* CASCADE, RESTART IDENTITY */
    /* The count is compared with what is left before it is multiplied. */
    if (reader->failed || ret_message->relation_count > (reader->size - reader->offset) / 4) {
        reader->failed = true;
        return;
    }
    (void)take(reader, ret_message->relation_count * 4); /* fits, as just checked */
}

static void take_begin(struct reader *reader, struct pgoutput_message *ret_message)
{
    ret_message->lsn = take_number(reader, 8);
    ret_message->committed_us = pgoutput_time_us((int64_t)take_number(reader, 8));
    ret_message->transaction_id = (uint32_t)take_number(reader, 4);
}

static void take_commit(struct reader *reader, struct pgoutput_message *ret_message)
{
    (void)take_byte(reader); /* flags: none are defined */
    ret_message->lsn = take_number(reader, 8);
    ret_message->end_lsn = take_number(reader, 8);
    ret_message->committed_us = pgoutput_time_us((int64_t)take_number(reader, 8));
}

static void take_logical_message(struct reader *reader, struct pgoutput_message *ret_message)
{
    ret_message->transactional = (take_byte(reader) & 1) != 0;
    ret_message->lsn = take_number(reader, 8);
    ret_message->name = take_text(reader);
    ret_message->content = take_bytes(reader, (size_t)take_number(reader, 4));
}

static bool find_type(uint8_t letter, enum pgoutput_type *ret_type)
{
    static const struct {
        char letter;
        enum pgoutput_type type;
    } rows[] = {
        {'B', PGOUTPUT_BEGIN},    {'C', PGOUTPUT_COMMIT}, {'O', PGOUTPUT_ORIGIN},
        {'R', PGOUTPUT_RELATION}, {'Y', PGOUTPUT_TYPE},   {'I', PGOUTPUT_INSERT},
        {'U', PGOUTPUT_UPDATE},   {'D', PGOUTPUT_DELETE}, {'T', PGOUTPUT_TRUNCATE},
        {'M', PGOUTPUT_MESSAGE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].letter == (char)letter) {
            *ret_type = rows[i].type;
            return true;
        }
    }
    return false;
}

static void take_body(struct reader *reader, struct pgoutput_message *ret_message)
{
    switch (ret_message->type) {
    case PGOUTPUT_BEGIN:
        take_begin(reader, ret_message);
        return;
    case PGOUTPUT_COMMIT:
        take_commit(reader, ret_message);
        return;
    case PGOUTPUT_ORIGIN:
        ret_message->lsn = take_number(reader, 8);
        ret_message->name = take_text(reader);
        return;
    case PGOUTPUT_RELATION:
        take_relation(reader, ret_message);
        return;
    case PGOUTPUT_TYPE:
        ret_message->relation_id = (uint32_t)take_number(reader, 4);
        ret_message->schema = take_text(reader);
        ret_message->name = take_text(reader);
        return;
    case PGOUTPUT_INSERT:
        take_insert(reader, ret_message);
        return;
    case PGOUTPUT_UPDATE:
    case PGOUTPUT_DELETE:
        take_old_and_new(reader, ret_message);
        return;
    case PGOUTPUT_TRUNCATE:
        take_truncate(reader, ret_message);
        return;
    case PGOUTPUT_MESSAGE:
        take_logical_message(reader, ret_message);
        return;
    }
}

sync_status pgoutput_message_read(struct sync_bytes body, struct pgoutput_message *ret_message,
                                  struct sync_error *err)
{
    struct reader reader = {body.data, body.size, 0, false};
    uint8_t letter = take_byte(&reader);
    if (reader.failed) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_PROTOCOL,
                         "read a replication message: it is empty");
    }
    if (!find_type(letter, &ret_message->type)) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_PROTOCOL,
                         "read a replication message: type 0x%02x is not known", letter);
    }
    take_body(&reader, ret_message);
    if (reader.failed) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_PROTOCOL,
                         "read replication message '%c': it breaks off or is malformed at byte %zu",
                         letter, reader.offset);
    }
    if (reader.offset != reader.size) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_PROTOCOL,
                         "read replication message '%c': %zu bytes follow its end", letter,
                         reader.size - reader.offset);
    }
    return SYNC_OK;
}

sync_status pgoutput_frame_read(struct sync_bytes chunk, struct pgoutput_frame *ret_frame,
                                struct sync_error *err)
{
    struct reader reader = {chunk.data, chunk.size, 0, false};
    uint8_t letter = take_byte(&reader);
    struct pgoutput_frame frame = {.type = PGOUTPUT_FRAME_DATA};
    if (letter == 'w') {
        frame.lsn = take_number(&reader, 8);
        frame.end_lsn = take_number(&reader, 8);
        frame.sent_us = pgoutput_time_us((int64_t)take_number(&reader, 8));
        frame.body = take_bytes(&reader, reader.size - reader.offset);
    } else if (letter == 'k') {
        frame.type = PGOUTPUT_FRAME_KEEPALIVE;
        frame.end_lsn = take_number(&reader, 8);
        frame.sent_us = pgoutput_time_us((int64_t)take_number(&reader, 8));
        frame.reply_requested = take_byte(&reader) == 1;
    } else {
        reader.failed = true;
    }
    if (reader.failed || reader.offset != reader.size) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_PROTOCOL,
                         "read the header of a replication chunk: %zu bytes of type 0x%02x do not "
                         "hold one",
                         chunk.size, letter);
    }
    *ret_frame = frame;
    return SYNC_OK;
}

static void put_number(uint8_t *bytes, uint64_t number)
{
    for (int i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)(number >> (56 - 8 * i));
    }
}

void pgoutput_feedback_write(uint64_t received_lsn, uint64_t confirmed_lsn, int64_t now_us,
                             uint8_t ret_bytes[static PGOUTPUT_FEEDBACK_BYTES])
{
    ret_bytes[0] = 'r';
    put_number(ret_bytes + 1, received_lsn);
    put_number(ret_bytes + 9, confirmed_lsn);  /* flushed: what the slot may forget */
    put_number(ret_bytes + 17, confirmed_lsn); /* applied */
    put_number(ret_bytes + 25, (uint64_t)(now_us - EPOCH_2000_US));
    ret_bytes[33] = 0; /* no answer wanted */
}

void pgoutput_lsn_format(uint64_t lsn, char ret_text[static PGOUTPUT_LSN_BUFFER])
{
    (void)snprintf(ret_text, PGOUTPUT_LSN_BUFFER, "%X/%X", (unsigned)(lsn >> 32), (unsigned)lsn);
}

static bool parse_hex(struct sync_bytes text, uint32_t *ret_number)
{
    uint32_t number = 0;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        bool digit = c >= '0' && c <= '9', upper = c >= 'A' && c <= 'F',
             lower = c >= 'a' && c <= 'f';
        if (!digit && !upper && !lower) {
            return false;
        }
        number = number << 4 | (uint32_t)(digit ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    *ret_number = number;
    return text.size >= 1 && text.size <= 8;
}

bool pgoutput_lsn_parse(struct sync_bytes text, uint64_t *ret_lsn)
{
    const uint8_t *slash = text.size > 0 ? memchr(text.data, '/', text.size) : NULL;
    uint32_t high = 0, low = 0;
    if (!slash) {
        return false;
    }
    size_t before = (size_t)(slash - text.data);
    if (!parse_hex((struct sync_bytes){text.data, before}, &high) ||
        !parse_hex((struct sync_bytes){slash + 1, text.size - before - 1}, &low)) {
        return false;
    }
    *ret_lsn = (uint64_t)high << 32 | low;
    return true;
}

int64_t pgoutput_time_us(int64_t postgres_us)
{
    if (postgres_us == INT64_MIN || postgres_us == INT64_MAX) {
        return postgres_us;
    }
    /* The last centuries of PostgreSQL's calendar do not fit; no rule accepts them anyhow (CS-07).
     */
    return postgres_us > INT64_MAX - 1 - EPOCH_2000_US ? INT64_MAX - 1
                                                       : postgres_us + EPOCH_2000_US;
}
