/*
 * Executes a decoding plan. Bounds, then read: every length and count is compared with what is left
 * before it is used, and the cost of a datum is bounded by its bytes and by SYNC_DATUM_NODES_MAX.
 * Not here: framing, schemas, and what a value means.
 */
#include "datum.h"

#include "limits.h"
#include "plan.h"
#include "utf8.h"

/* One open record, array or map. */
struct frame {
    const struct sync_plan_node *node;
    uint64_t left;       /* fields, or items of the current block */
    size_t block_end;    /* where the writer says that the block ends; 0 = it does not say */
    uint64_t empty_left; /* items of zero size that may still come */
    size_t start;        /* of the value */
    size_t items;        /* of an array, so far */
};

struct reader {
    const struct sync_plan *plan;
    const uint8_t *data;
    size_t size, at;
    uint8_t *change;
    const char *path; /* deepest field that has a path */
    size_t nodes_left;
    size_t depth;
    struct frame frames[SYNC_DATUM_DEPTH_MAX];
    struct sync_error *err;
};

static sync_status refuse(struct reader *r, enum sync_code code, const char *what)
{
    SYNC_ASSERT(r->at <= r->size);
    SYNC_ASSERT(what != NULL);
    return sync_fail_field(r->err, SYNC_CLASS_PARK, code, r->path, "decode byte %zu of %zu: %s",
                           r->at, r->size, what);
}

/* Ten bytes at most, no bits above 64, and no padding: one number has one form. */
static sync_status read_long(struct reader *r, int64_t *ret_value)
{
    SYNC_ASSERT(r->at <= r->size);
    SYNC_ASSERT(ret_value != NULL);
    uint64_t bits = 0;
    size_t at = r->at;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        if (at == r->size) {
            return refuse(r, SYNC_CODE_TRUNCATED, "ends inside a number");
        }
        uint8_t byte = r->data[at++];
        bits |= (uint64_t)(byte & 0x7F) << shift;
        if (byte >= 0x80) {
            continue;
        }
        if ((byte == 0 && shift > 0) || (shift == 63 && byte > 1)) {
            break;
        }
        r->at = at;
        *ret_value = (int64_t)(bits >> 1 ^ (0 - (bits & 1)));
        return SYNC_OK;
    }
    return refuse(r, SYNC_CODE_VARINT, "number is longer than 64 bits or padded");
}

static sync_status read_int(struct reader *r, int64_t *ret_value)
{
    SYNC_ASSERT(r->at <= r->size);
    SYNC_ASSERT(ret_value != NULL);
    size_t start = r->at;
    sync_status status = read_long(r, ret_value);
    if (sync_is_ok(status) && (*ret_value < INT32_MIN || *ret_value > INT32_MAX)) {
        r->at = start;
        return refuse(r, SYNC_CODE_VARINT, "int is longer than 32 bits");
    }
    return status;
}

static sync_status read_fixed(struct reader *r, size_t size, struct sync_bytes *ret_bytes)
{
    SYNC_ASSERT(r->at <= r->size);
    SYNC_ASSERT(ret_bytes != NULL);
    if (size > r->size - r->at) {
        return refuse(r, SYNC_CODE_TRUNCATED, "ends inside a value of fixed size");
    }
    *ret_bytes = (struct sync_bytes){r->data + r->at, size};
    r->at += size;
    return SYNC_OK;
}

static sync_status read_bytes(struct reader *r, struct sync_bytes *ret_bytes)
{
    SYNC_ASSERT(r->at <= r->size);
    SYNC_ASSERT(ret_bytes != NULL);
    size_t start = r->at;
    int64_t length = 0;
    sync_status status = read_long(r, &length);
    if (!sync_is_ok(status)) {
        return status;
    }
    if (length < 0 || (uint64_t)length > r->size - r->at) {
        r->at = start;
        return refuse(r, SYNC_CODE_LENGTH, "length is negative or more than what is left");
    }
    return read_fixed(r, (size_t)length, ret_bytes);
}

static sync_status read_string(struct reader *r, struct sync_bytes *ret_text)
{
    SYNC_ASSERT(r->at <= r->size);
    SYNC_ASSERT(ret_text != NULL);
    sync_status status = read_bytes(r, ret_text);
    if (sync_is_ok(status) && !sync_utf8_is_text(*ret_text)) {
        r->at -= ret_text->size;
        return refuse(r, SYNC_CODE_UTF8, "text is ill-formed UTF-8 or holds NUL");
    }
    return status;
}

/* Copies through memcpy: the struct is somebody else's type. */
static void put(struct reader *r, uint32_t offset, const void *value, size_t size)
{
    SYNC_ASSERT(offset <= r->plan->change_size);
    SYNC_ASSERT(size <= r->plan->change_size - offset);
    memcpy(r->change + offset, value, size);
}

static void put_present(struct reader *r, const struct sync_plan_node *node)
{
    SYNC_ASSERT(r != NULL);
    SYNC_ASSERT(node->store != SYNC_STORE_NONE);
    if (node->present != SYNC_PLAN_NONE) {
        put(r, node->present, &(bool){true}, sizeof(bool));
    }
}

static void put_integer(struct reader *r, const struct sync_plan_node *node, int64_t value)
{
    SYNC_ASSERT(r != NULL);
    SYNC_ASSERT(node != NULL);
    double real = node->store == SYNC_STORE_FLOAT ? (double)(float)value : (double)value;
    switch ((enum sync_plan_store)node->store) {
    case SYNC_STORE_NONE:
        return;
    case SYNC_STORE_BOOL:
        put(r, node->offset, &(bool){value != 0}, sizeof(bool));
        break;
    case SYNC_STORE_INT:
    case SYNC_STORE_ENUM:
        put(r, node->offset, &(int32_t){(int32_t)value}, sizeof(int32_t));
        break;
    case SYNC_STORE_LONG:
        put(r, node->offset, &value, sizeof value);
        break;
    case SYNC_STORE_FLOAT:
    case SYNC_STORE_DOUBLE:
        put(r, node->offset, &real, sizeof real);
        break;
    case SYNC_STORE_TEXT:
    case SYNC_STORE_UUID:
    case SYNC_STORE_TEXTS:
    case SYNC_STORE_PRESENCE:
        SYNC_ASSERT(!"the compiler pairs integers with number stores only");
    }
    put_present(r, node);
}

static void put_real(struct reader *r, const struct sync_plan_node *node, double value)
{
    SYNC_ASSERT(r != NULL);
    SYNC_ASSERT(node != NULL);
    if (node->store == SYNC_STORE_NONE) {
        return;
    }
    put(r, node->offset, &value, sizeof value);
    put_present(r, node);
}

/* The text has just been read: it ends where we stand. */
static sync_status put_text(struct reader *r, const struct sync_plan_node *node,
                            struct sync_bytes text)
{
    SYNC_ASSERT(r->at <= r->size);
    SYNC_ASSERT(text.size <= r->at);
    if (node->store == SYNC_STORE_NONE) {
        return SYNC_OK;
    }
    if (node->store == SYNC_STORE_UUID) {
        struct sync_uuid id;
        if (!sync_uuid_parse(text, &id)) {
            r->at -= text.size;
            return refuse(r, SYNC_CODE_UUID, "text is not a UUID of 36 characters");
        }
        put(r, node->offset, &id, sizeof id);
        put_present(r, node);
        return SYNC_OK;
    }
    SYNC_ASSERT(node->store == SYNC_STORE_TEXT);
    if (node->size > 0 && text.size > node->size) {
        r->at -= text.size;
        return refuse(r, SYNC_CODE_FIELD_RANGE, "text is longer than the field allows");
    }
    put(r, node->offset, &text, sizeof text);
    put_present(r, node);
    return SYNC_OK;
}

static uint64_t little_endian(struct sync_bytes bytes)
{
    SYNC_ASSERT(bytes.size <= 8);
    SYNC_ASSERT(bytes.data != NULL);
    uint64_t bits = 0;
    for (size_t i = bytes.size; i > 0; i--) {
        bits = bits << 8 | bytes.data[i - 1];
    }
    return bits;
}

static sync_status step_real(struct reader *r, const struct sync_plan_node *node)
{
    SYNC_ASSERT(node->wire == SYNC_WIRE_FLOAT || node->wire == SYNC_WIRE_DOUBLE);
    SYNC_ASSERT(r->at <= r->size);
    bool is_float = node->wire == SYNC_WIRE_FLOAT;
    struct sync_bytes bytes = {NULL, 0};
    sync_status status = read_fixed(r, is_float ? 4 : 8, &bytes);
    if (!sync_is_ok(status)) {
        return status;
    }
    uint64_t bits = little_endian(bytes);
    double value = 0;
    if (is_float) {
        float narrow = 0;
        memcpy(&narrow, &(uint32_t){(uint32_t)bits}, sizeof narrow);
        value = (double)narrow;
    } else {
        memcpy(&value, &bits, sizeof value);
    }
    put_real(r, node, value);
    return SYNC_OK;
}

static sync_status step_boolean(struct reader *r, const struct sync_plan_node *node)
{
    SYNC_ASSERT(node->wire == SYNC_WIRE_BOOLEAN);
    SYNC_ASSERT(r->at <= r->size);
    if (r->at == r->size) {
        return refuse(r, SYNC_CODE_TRUNCATED, "ends before a boolean");
    }
    if (r->data[r->at] > 1) {
        return refuse(r, SYNC_CODE_BOOLEAN, "boolean is neither 0 nor 1");
    }
    put_integer(r, node, r->data[r->at++]);
    return SYNC_OK;
}

static sync_status step_enum(struct reader *r, const struct sync_plan_node *node)
{
    SYNC_ASSERT(node->wire == SYNC_WIRE_ENUM);
    SYNC_ASSERT((size_t)node->first + node->count <= r->plan->symbol_count);
    size_t start = r->at;
    int64_t index = 0;
    sync_status status = read_int(r, &index);
    if (!sync_is_ok(status)) {
        return status;
    }
    if (index < 0 || index >= (int64_t)node->count) {
        r->at = start;
        return refuse(r, SYNC_CODE_ENUM_SYMBOL, "enum index is outside the writer's schema");
    }
    int32_t symbol = r->plan->symbols[node->first + (uint32_t)index];
    SYNC_ASSERT(symbol >= -1);
    if (node->store != SYNC_STORE_NONE && symbol < 0) {
        r->at = start;
        return refuse(r, SYNC_CODE_ENUM_SYMBOL, "enum symbol is unknown to the reader");
    }
    put_integer(r, node, symbol);
    return SYNC_OK;
}

static void put_constant_text(struct reader *r, const struct sync_plan_node *node,
                              const struct sync_plan_constant *constant)
{
    SYNC_ASSERT(node->store == SYNC_STORE_TEXT);
    SYNC_ASSERT((size_t)constant->text + constant->text_size <= r->plan->texts_size);
    struct sync_bytes text = {(const uint8_t *)r->plan->texts + constant->text,
                              constant->text_size};
    put(r, node->offset, &text, sizeof text);
}

/* A default of the reader: takes no bytes. */
static void step_absent(struct reader *r, const struct sync_plan_node *node)
{
    SYNC_ASSERT(node->wire == SYNC_WIRE_ABSENT);
    SYNC_ASSERT(node->first < r->plan->constant_count);
    const struct sync_plan_constant *constant = &r->plan->constants[node->first];
    switch ((enum sync_plan_store)node->store) {
    case SYNC_STORE_NONE:
    case SYNC_STORE_BOOL:
    case SYNC_STORE_INT:
    case SYNC_STORE_LONG:
    case SYNC_STORE_ENUM:
        put_integer(r, node, constant->integer);
        return;
    case SYNC_STORE_FLOAT:
    case SYNC_STORE_DOUBLE:
        put_real(r, node, constant->real);
        return;
    case SYNC_STORE_TEXT:
        put_constant_text(r, node, constant);
        break;
    case SYNC_STORE_UUID:
        put(r, node->offset, &constant->uuid, sizeof constant->uuid);
        break;
    case SYNC_STORE_TEXTS: /* the empty list: the struct is zeroed */
        break;
    case SYNC_STORE_PRESENCE:
        put(r, node->offset, &(bool){true}, sizeof(bool));
        return;
    }
    put_present(r, node);
}

static sync_status open_frame(struct reader *r, const struct sync_plan_node *node)
{
    SYNC_ASSERT(r->depth <= SYNC_DATUM_DEPTH_MAX);
    SYNC_ASSERT(node->wire == SYNC_WIRE_RECORD || node->count == 1);
    if (r->depth == SYNC_DATUM_DEPTH_MAX) {
        return refuse(r, SYNC_CODE_DEPTH, "values are nested too deep");
    }
    if (node->store == SYNC_STORE_PRESENCE) {
        put(r, node->offset, &(bool){true}, sizeof(bool));
    }
    SYNC_ASSERT(r->nodes_left < SYNC_DATUM_NODES_MAX || r->depth == 0);
    struct frame *frame = &r->frames[r->depth++];
    *frame = (struct frame){.node = node, .empty_left = SYNC_DATUM_EMPTY_ITEMS_MAX, .start = r->at};
    frame->left = node->wire == SYNC_WIRE_RECORD ? node->count : 0;
    return SYNC_OK;
}

/* Reads one value, or opens the frame that will read its parts. */
static sync_status step_value(struct reader *r, const struct sync_plan_node *node)
{
    SYNC_ASSERT(r->at <= r->size);
    SYNC_ASSERT(node != NULL);
    int64_t number = 0;
    struct sync_bytes bytes = {NULL, 0};
    sync_status status = SYNC_OK;
    switch ((enum sync_plan_wire)node->wire) {
    case SYNC_WIRE_NULL:
        return SYNC_OK;
    case SYNC_WIRE_BOOLEAN:
        return step_boolean(r, node);
    case SYNC_WIRE_INT:
    case SYNC_WIRE_LONG:
        status = node->wire == SYNC_WIRE_INT ? read_int(r, &number) : read_long(r, &number);
        if (sync_is_ok(status)) {
            put_integer(r, node, number);
        }
        return status;
    case SYNC_WIRE_FLOAT:
    case SYNC_WIRE_DOUBLE:
        return step_real(r, node);
    case SYNC_WIRE_BYTES:
        /* Bytes that become text are checked as text. */
        status = node->store == SYNC_STORE_NONE ? read_bytes(r, &bytes) : read_string(r, &bytes);
        return sync_is_ok(status) ? put_text(r, node, bytes) : status;
    case SYNC_WIRE_STRING:
        status = read_string(r, &bytes);
        return sync_is_ok(status) ? put_text(r, node, bytes) : status;
    case SYNC_WIRE_FIXED:
        return read_fixed(r, node->size, &bytes);
    case SYNC_WIRE_ENUM:
        return step_enum(r, node);
    case SYNC_WIRE_ABSENT:
        step_absent(r, node);
        return SYNC_OK;
    case SYNC_WIRE_REFUSE:
        return refuse(r, (enum sync_code)node->size,
                      "value is of a type that the field cannot take");
    case SYNC_WIRE_RECORD:
    case SYNC_WIRE_ARRAY:
    case SYNC_WIRE_MAP:
        return open_frame(r, node);
    case SYNC_WIRE_UNION:
        break;
    }
    SYNC_ASSERT(!"unions are taken apart by the caller");
    return SYNC_OK;
}

static sync_status step(struct reader *r, const struct sync_plan_child *child)
{
    SYNC_ASSERT(child->node < r->plan->node_count);
    SYNC_ASSERT(r->depth > 0);
    if (child->path != SYNC_PLAN_NONE) {
        r->path = r->plan->texts + child->path;
    }
    if (r->nodes_left == 0) {
        return refuse(r, SYNC_CODE_NODE_COUNT, "more values than a record may hold");
    }
    r->nodes_left--;
    const struct sync_plan_node *node = &r->plan->nodes[child->node];
    if (node->wire != SYNC_WIRE_UNION) {
        return step_value(r, node);
    }
    size_t start = r->at;
    int64_t branch = 0;
    sync_status status = read_long(r, &branch);
    if (!sync_is_ok(status)) {
        return status;
    }
    if (branch < 0 || branch >= (int64_t)node->count) {
        r->at = start;
        return refuse(r, SYNC_CODE_UNION_BRANCH, "union branch is outside the writer's schema");
    }
    return step_value(r, &r->plan->nodes[r->plan->children[node->first + (uint32_t)branch].node]);
}

/* Bounds the count by the bytes that its items must take; items of zero size have a bound of their
 * own. */
static sync_status check_count(struct reader *r, struct frame *frame, uint64_t count, size_t start)
{
    SYNC_ASSERT(frame->left == 0);
    SYNC_ASSERT(start <= r->at);
    uint32_t least = frame->node->size;
    bool fits = least > 0 ? count <= (r->size - r->at) / least : count <= frame->empty_left;
    if (!fits) {
        r->at = start;
        return refuse(r, SYNC_CODE_ITEM_COUNT, "more items than the bytes that are left can hold");
    }
    frame->empty_left -= least > 0 ? 0 : count;
    frame->left = count;
    return SYNC_OK;
}

/* The array has just ended: its items have been read as strings. */
static void put_texts(struct reader *r, const struct frame *frame)
{
    SYNC_ASSERT(frame->start < r->at);
    SYNC_ASSERT(frame->left == 0);
    if (frame->node->store != SYNC_STORE_TEXTS) {
        return;
    }
    struct sync_texts texts = {
        .data = r->data + frame->start, .size = r->at - frame->start, .count = frame->items};
    put(r, frame->node->offset, &texts, sizeof texts);
    put_present(r, frame->node);
}

/* Reads the header of the next block; a count of zero ends the array or map. */
static sync_status next_block(struct reader *r, struct frame *frame)
{
    SYNC_ASSERT(frame->left == 0);
    SYNC_ASSERT(frame->node->wire != SYNC_WIRE_RECORD);
    if (frame->block_end != 0 && frame->block_end != r->at) {
        return refuse(r, SYNC_CODE_LENGTH, "block ends elsewhere than its writer says");
    }
    frame->block_end = 0;
    size_t start = r->at;
    int64_t count = 0;
    sync_status status = read_long(r, &count);
    if (!sync_is_ok(status)) {
        return status;
    }
    if (count == 0) {
        put_texts(r, frame);
        r->depth--;
        return SYNC_OK;
    }
    if (count > 0) {
        return check_count(r, frame, (uint64_t)count, start);
    }
    size_t size_start = r->at;
    int64_t size = 0;
    status = read_long(r, &size);
    if (!sync_is_ok(status)) {
        return status;
    }
    if (size < 0 || (uint64_t)size > r->size - r->at) {
        r->at = size_start;
        return refuse(r, SYNC_CODE_LENGTH, "block size is negative or more than what is left");
    }
    frame->block_end = r->at + (size_t)size;
    SYNC_ASSERT(frame->block_end <= r->size);
    return check_count(r, frame, 0 - (uint64_t)count, start);
}

/* One field or item of the innermost open value. */
static sync_status advance(struct reader *r)
{
    SYNC_ASSERT(r->depth > 0);
    struct frame *frame = &r->frames[r->depth - 1];
    const struct sync_plan_node *node = frame->node;
    SYNC_ASSERT((size_t)node->first + node->count <= r->plan->child_count);
    if (node->wire == SYNC_WIRE_RECORD) {
        if (frame->left == 0) {
            r->depth--;
            return SYNC_OK;
        }
        return step(r, &r->plan->children[node->first + (node->count - frame->left--)]);
    }
    if (frame->left == 0) {
        return next_block(r, frame);
    }
    frame->left--;
    frame->items++;
    if (node->wire == SYNC_WIRE_MAP) {
        struct sync_bytes key;
        sync_status status = read_string(r, &key);
        if (!sync_is_ok(status)) {
            return status;
        }
    }
    return step(r, &r->plan->children[node->first]);
}

sync_status sync_datum_decode(const struct sync_plan *plan, struct sync_bytes datum,
                              void *ret_change, struct sync_error *err)
{
    SYNC_ASSERT(plan != NULL && ret_change != NULL);
    SYNC_ASSERT(datum.data != NULL || datum.size == 0);
    struct reader r;
    r.plan = plan;
    r.data = datum.data;
    r.size = datum.size;
    r.at = 0;
    r.change = ret_change;
    r.path = "";
    r.nodes_left = SYNC_DATUM_NODES_MAX;
    r.depth = 0;
    r.err = err;
    if (datum.size > SYNC_RECORD_BYTES_MAX) {
        return refuse(&r, SYNC_CODE_OVERSIZE, "record is larger than a topic may carry");
    }
    memset(ret_change, 0, plan->change_size);
    sync_status status = open_frame(&r, &plan->nodes[plan->root]);
    while (sync_is_ok(status) && r.depth > 0) {
        status = advance(&r);
    }
    SYNC_ASSERT(r.at <= r.size);
    if (sync_is_ok(status) && r.at != r.size) {
        r.path = "";
        return refuse(&r, SYNC_CODE_TRAILING_BYTES, "bytes stand behind the record");
    }
    return status;
}
