/*
 * Reads one line of the file of docs/load-format.md into our own form. Names, types and bounds
 * stand in tables. Not here: SQL (correspondence_loader_rows.c), files and transactions
 * (src/cli/load.c).
 */
#include "correspondence_loader.h"

#include "../../src/runtime/id.h"
#include "../../src/runtime/json.h"
#include "../../src/runtime/time_text.h"

#include <ctype.h>
#include <stdio.h>

#define PROPERTIES_MAX 10
#define TEXT_ANY       0

/* 4bed63bf-8c61-5091-9f76-82c167b38881, the namespace of migrated ids. */
static const struct sync_uuid id_space = {{0x4b, 0xed, 0x63, 0xbf, 0x8c, 0x61, 0x50, 0x91, 0x9f,
                                           0x76, 0x82, 0xc1, 0x67, 0xb3, 0x88, 0x81}};

enum field_type {
    FIELD_TEXT,
    FIELD_INT,
    FIELD_SIZE,
    FIELD_BOOL,
    FIELD_UUID,
    FIELD_TIME,
    FIELD_LIST
};
#define OPTIONAL SIZE_MAX

struct field {
    const char *name;
    enum field_type type;
    size_t offset;
    bool required;
    size_t size_max;       /* of a text in bytes; TEXT_ANY = no bound but that of the line */
    int32_t least, most;   /* of FIELD_INT */
    size_t present_offset; /* of a bool that says "given and not null"; OPTIONAL = not wanted */
};

#define ROW(struct_name, text, kind, member, must, max)                                            \
    {                                                                                              \
        text, kind, offsetof(struct struct_name, member), must, max, 0, INT32_MAX, OPTIONAL        \
    }
#define LIST(text)                                                                                 \
    {                                                                                              \
        text, FIELD_LIST, 0, false, 0, 0, 0, OPTIONAL                                              \
    }

static const struct field party_fields[] = {
    LIST("type"),
    ROW(load_party, "uuid", FIELD_UUID, uuid, true, 0),
    {"altinn2PartyId", FIELD_INT, offsetof(struct load_party, altinn2_party_id), true, 0, 1,
     INT32_MAX, OPTIONAL},
};

static const struct field message_fields[] = {
    LIST("type"),
    {"altinn2Id", FIELD_INT, offsetof(struct load_message, altinn2_id), true, 0, 1, INT32_MAX,
     OPTIONAL},
    ROW(load_message, "altinn3Id", FIELD_UUID, altinn3_id, false, 0),
    ROW(load_message, "altinn2PartyId", FIELD_INT, altinn2_party_id, false, 0),
    ROW(load_message, "resourceId", FIELD_TEXT, resource_id, true, 255),
    ROW(load_message, "recipient", FIELD_TEXT, recipient, true, TEXT_ANY),
    ROW(load_message, "sender", FIELD_TEXT, sender, true, TEXT_ANY),
    ROW(load_message, "messageSender", FIELD_TEXT, message_sender, false, 256),
    ROW(load_message, "sendersReference", FIELD_TEXT, senders_reference, true, 4096),
    ROW(load_message, "created", FIELD_TIME, created_us, true, 0),
    ROW(load_message, "requestedPublish", FIELD_TIME, requested_publish_us, false, 0),
    ROW(load_message, "published", FIELD_TIME, published_us, false, 0),
    ROW(load_message, "due", FIELD_TIME, due_us, false, 0),
    ROW(load_message, "hidden", FIELD_BOOL, hidden, false, 0),
    ROW(load_message, "confirmationNeeded", FIELD_BOOL, confirmation_needed, false, 0),
    ROW(load_message, "confidential", FIELD_BOOL, confidential, false, 0),
    {"ignoreReservation", FIELD_BOOL, offsetof(struct load_message, ignore_reservation), false, 0,
     0, 0, offsetof(struct load_message, has_ignore_reservation)},
    ROW(load_message, "language", FIELD_TEXT, language, true, 2),
    ROW(load_message, "title", FIELD_TEXT, title, true, TEXT_ANY),
    ROW(load_message, "summary", FIELD_TEXT, summary, false, TEXT_ANY),
    ROW(load_message, "body", FIELD_TEXT, body, false, TEXT_ANY),
    {"dialogId", FIELD_UUID, offsetof(struct load_message, dialog_id), false, 0, 0, 0,
     offsetof(struct load_message, has_dialog)},
    LIST("properties"),
    LIST("replyOptions"),
    LIST("attachments"),
    LIST("statuses"),
    LIST("deleteEvents"),
};

static const struct field status_fields[] = {
    {"status", FIELD_INT, offsetof(struct load_act, kind), true, 0, 0, 12, OPTIONAL},
    ROW(load_act, "at", FIELD_TIME, at_us, true, 0),
    ROW(load_act, "party", FIELD_UUID, party, false, 0),
};

static const struct field delete_event_fields[] = {
    {"type", FIELD_INT, offsetof(struct load_act, kind), true, 0, 1, 4, OPTIONAL},
    ROW(load_act, "at", FIELD_TIME, at_us, true, 0),
    ROW(load_act, "party", FIELD_UUID, party, false, 0),
};

static const struct field attachment_fields[] = {
    ROW(load_attachment, "altinn2AttachmentId", FIELD_TEXT, altinn2_attachment_id, true, 255),
    ROW(load_attachment, "altinn3Id", FIELD_UUID, id, false, 0),
    ROW(load_attachment, "fileName", FIELD_TEXT, file_name, false, 255),
    ROW(load_attachment, "displayName", FIELD_TEXT, display_name, false, 255),
    ROW(load_attachment, "size", FIELD_SIZE, size, false, 0),
    ROW(load_attachment, "encrypted", FIELD_BOOL, encrypted, false, 0),
    ROW(load_attachment, "checksum", FIELD_TEXT, checksum, false, TEXT_ANY),
    ROW(load_attachment, "dataLocationUrl", FIELD_TEXT, data_location_url, false, TEXT_ANY),
    ROW(load_attachment, "sendersReference", FIELD_TEXT, senders_reference, false, 4096),
};

static const struct field reply_option_fields[] = {
    ROW(load_reply_option, "url", FIELD_TEXT, url, true, TEXT_ANY),
    ROW(load_reply_option, "text", FIELD_TEXT, text, false, TEXT_ANY),
};

/* What reading one object shares. place is "" or "statuses[3]." */
struct reader {
    struct sync_arena *arena;
    char place[40];
    struct sync_error *err;
};

static sync_status wrong(const struct reader *reader, enum sync_code code, const char *name,
                         const char *what)
{
    char field[sizeof reader->err->field];
    size_t place = strlen(reader->place);
    if (name[0] == '\0' && place > 0) {
        place--; /* the element itself, without the dot before a name */
    }
    (void)snprintf(field, sizeof field, "%.*s%s", (int)place, reader->place, name);
    return sync_fail_field(reader->err, SYNC_CLASS_PARK, code, field, "%s", what);
}

static sync_status memory_full(const struct reader *reader)
{
    return sync_fail(reader->err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT,
                     "read a line: its chunk has no memory left");
}

/* Values
 * -------------------------------------------------------------------------------------------- */

static sync_status read_text(const struct reader *reader, const struct field *field,
                             struct sync_bytes text, struct sync_bytes *ret_text)
{
    if (field->size_max != TEXT_ANY && text.size > field->size_max) {
        return wrong(reader, SYNC_CODE_FIELD_RANGE, field->name,
                     "the text is longer than Altinn 3 takes");
    }
    if (field->required && text.size == 0) {
        return wrong(reader, SYNC_CODE_FIELD_RANGE, field->name, "the text is empty");
    }
    *ret_text = sync_arena_copy(reader->arena, text);
    return ret_text->data ? SYNC_OK : memory_full(reader);
}

static sync_status read_number(const struct reader *reader, const struct field *field,
                               int64_t number, void *ret_value)
{
    if (field->type == FIELD_SIZE) {
        if (number < 0) {
            return wrong(reader, SYNC_CODE_FIELD_RANGE, field->name, "the number is below 0");
        }
        *(int64_t *)ret_value = number;
        return SYNC_OK;
    }
    if (number < field->least || number > field->most) {
        return wrong(reader, SYNC_CODE_FIELD_RANGE, field->name, "the number is out of range");
    }
    *(int32_t *)ret_value = (int32_t)number;
    return SYNC_OK;
}

static enum sync_json_type type_of(enum field_type type)
{
    switch (type) {
    case FIELD_INT:
    case FIELD_SIZE:
        return SYNC_JSON_INTEGER;
    case FIELD_BOOL:
        return SYNC_JSON_BOOL;
    case FIELD_TEXT:
    case FIELD_UUID:
    case FIELD_TIME:
        return SYNC_JSON_TEXT;
    case FIELD_LIST:
        return SYNC_JSON_ARRAY;
    }
    return SYNC_JSON_NULL;
}

static sync_status read_value(const struct reader *reader, const struct field *field,
                              const struct sync_json *json, void *ret_value)
{
    if (sync_json_type_of(json) != type_of(field->type)) {
        return wrong(reader, SYNC_CODE_FIELD_RANGE, field->name, "the value has the wrong type");
    }
    switch (field->type) {
    case FIELD_TEXT:
        return read_text(reader, field, sync_json_text(json), ret_value);
    case FIELD_INT:
    case FIELD_SIZE:
        return read_number(reader, field, sync_json_integer(json), ret_value);
    case FIELD_BOOL:
        *(bool *)ret_value = sync_json_bool(json);
        return SYNC_OK;
    case FIELD_UUID:
        return sync_uuid_parse(sync_json_text(json), ret_value)
                   ? SYNC_OK
                   : wrong(reader, SYNC_CODE_UUID, field->name,
                           "the text is no UUID of 36 characters");
    case FIELD_TIME:
        return sync_time_parse(sync_json_text(json), ret_value)
                   ? SYNC_OK
                   : wrong(reader, SYNC_CODE_FIELD_RANGE, field->name,
                           "the text is no time with an offset, such as 2025-03-04T09:00:00Z");
    case FIELD_LIST:
        break;
    }
    return SYNC_OK;
}

/* Objects
 * ------------------------------------------------------------------------------------------- */

struct name_check {
    const struct field *fields;
    size_t count;
    char unknown[32];
};

static void check_name(const char *name, const struct sync_json *value, void *context)
{
    struct name_check *check = context;
    (void)value;
    for (size_t i = 0; i < check->count; i++) {
        if (strcmp(check->fields[i].name, name) == 0) {
            return;
        }
    }
    (void)snprintf(check->unknown, sizeof check->unknown, "%s", name);
}

static sync_status read_object(const struct reader *reader, const struct sync_json *json,
                               const struct field *fields, size_t count, void *ret_object)
{
    if (sync_json_type_of(json) != SYNC_JSON_OBJECT) {
        return wrong(reader, SYNC_CODE_FIELD_RANGE, "", "the value is no object");
    }
    struct name_check check = {.fields = fields, .count = count};
    sync_json_each(json, check_name, &check);
    if (check.unknown[0] != '\0') {
        return wrong(reader, SYNC_CODE_UNKNOWN_KEY, check.unknown, "the name is not known");
    }
    for (size_t i = 0; i < count; i++) {
        const struct sync_json *value = sync_json_get(json, fields[i].name);
        if (fields[i].type == FIELD_LIST) {
            continue;
        }
        if (sync_json_type_of(value) == SYNC_JSON_NULL) {
            if (fields[i].required) {
                return wrong(reader, SYNC_CODE_FIELD_MISSING, fields[i].name,
                             "the value is missing");
            }
            continue;
        }
        sync_status status =
            read_value(reader, &fields[i], value, (char *)ret_object + fields[i].offset);
        if (!sync_is_ok(status)) {
            return status;
        }
        if (fields[i].present_offset != OPTIONAL) {
            *(bool *)((char *)ret_object + fields[i].present_offset) = true;
        }
    }
    return SYNC_OK;
}

/* A list of objects of one form. prepare sets the defaults of one. */
struct list_form {
    const char *name;
    const struct field *fields;
    size_t field_count, size;
};
#define FIELDS(table) (table), sizeof(table) / sizeof(table)[0]

static sync_status read_list(const struct reader *reader, const struct sync_json *message,
                             const struct list_form *form, void **ret_items, size_t *ret_count)
{
    const struct sync_json *list = sync_json_get(message, form->name);
    if (sync_json_type_of(list) == SYNC_JSON_NULL) {
        return SYNC_OK;
    }
    if (sync_json_type_of(list) != SYNC_JSON_ARRAY) {
        return wrong(reader, SYNC_CODE_FIELD_RANGE, form->name, "the value is no list");
    }
    size_t count = sync_json_count(list);
    char *items = sync_arena_take_array(reader->arena, count + 1, form->size);
    if (!items) {
        return memory_full(reader);
    }
    for (size_t i = 0; i < count; i++) {
        struct reader inner = {.arena = reader->arena, .err = reader->err};
        (void)snprintf(inner.place, sizeof inner.place, "%s[%zu].", form->name, i);
        sync_status status = read_object(&inner, sync_json_at(list, i), form->fields,
                                         form->field_count, items + i * form->size);
        if (!sync_is_ok(status)) {
            return status;
        }
    }
    *ret_items = items;
    *ret_count = count;
    return SYNC_OK;
}

/* Message
 * ------------------------------------------------------------------------------------------- */

struct property_text {
    char *data;
    size_t size, capacity, count;
    bool wrong;
};

static void put_quoted(struct property_text *text, const char *value, size_t size)
{
    text->data[text->size++] = '"';
    for (size_t i = 0; i < size; i++) {
        if (value[i] == '"' || value[i] == '\\') {
            text->data[text->size++] = '\\';
        }
        text->data[text->size++] = value[i];
    }
    text->data[text->size++] = '"';
}

static void add_property(const char *name, const struct sync_json *value, void *context)
{
    struct property_text *text = context;
    struct sync_bytes bytes = sync_json_text(value);
    if (sync_json_type_of(value) != SYNC_JSON_TEXT || text->count == PROPERTIES_MAX) {
        text->wrong = true;
        return;
    }
    size_t name_size = strlen(name);
    if (text->data) {
        SYNC_ASSERT(text->size + 2 * (name_size + bytes.size) + 8 <= text->capacity);
        if (text->count > 0) {
            text->data[text->size++] = ',';
        }
        put_quoted(text, name, name_size);
        text->data[text->size++] = '=';
        text->data[text->size++] = '>';
        put_quoted(text, (const char *)bytes.data, bytes.size);
    } else {
        text->capacity += 2 * (name_size + bytes.size) + 8;
    }
    text->count++;
}

/* Once to measure, once to write. */
static sync_status read_properties(const struct reader *reader, const struct sync_json *json,
                                   struct sync_bytes *ret_text)
{
    const struct sync_json *properties = sync_json_get(json, "properties");
    struct property_text text = {0};
    *ret_text = sync_bytes_text("");
    if (sync_json_type_of(properties) == SYNC_JSON_NULL) {
        return SYNC_OK;
    }
    sync_json_each(properties, add_property, &text);
    if (text.wrong || sync_json_type_of(properties) != SYNC_JSON_OBJECT) {
        return wrong(reader, SYNC_CODE_FIELD_RANGE, "properties",
                     "the value is no object of at most 10 texts");
    }
    text.data = sync_arena_take(reader->arena, text.capacity + 1);
    text.count = 0;
    if (!text.data) {
        return memory_full(reader);
    }
    sync_json_each(properties, add_property, &text);
    *ret_text = (struct sync_bytes){(const uint8_t *)text.data, text.size};
    return SYNC_OK;
}

static sync_status read_lists(const struct reader *reader, const struct sync_json *json,
                              struct load_message *message)
{
    static const struct list_form forms[] = {
        {"replyOptions", FIELDS(reply_option_fields), sizeof(struct load_reply_option)},
        {"attachments", FIELDS(attachment_fields), sizeof(struct load_attachment)},
        {"statuses", FIELDS(status_fields), sizeof(struct load_act)},
        {"deleteEvents", FIELDS(delete_event_fields), sizeof(struct load_act)},
    };
    void *items[4] = {NULL};
    size_t counts[4] = {0};
    for (size_t i = 0; i < 4; i++) {
        sync_status status = read_list(reader, json, &forms[i], &items[i], &counts[i]);
        if (!sync_is_ok(status)) {
            return status;
        }
    }
    message->reply_options = items[0];
    message->reply_option_count = counts[0];
    message->attachments = items[1];
    message->attachment_count = counts[1];
    message->statuses = items[2];
    message->status_count = counts[2];
    message->delete_events = items[3];
    message->delete_event_count = counts[3];
    return read_properties(reader, json, &message->properties);
}

/* MG-16: UUIDv5 of the id with its first 48 bits replaced by the time, as version 7. */
static struct sync_uuid reserved_id(int32_t altinn2_id, int64_t created_us)
{
    char name[40];
    (void)snprintf(name, sizeof name, "correspondence/%d", (int)altinn2_id);
    struct sync_uuid id = sync_id_v5(&id_space, sync_bytes_text(name));
    uint64_t ms = (uint64_t)(created_us / 1000);
    for (int i = 0; i < 6; i++) {
        id.bytes[i] = (uint8_t)(ms >> (8 * (5 - i)));
    }
    id.bytes[6] = (uint8_t)(0x70 | (id.bytes[6] & 0x0f));
    id.bytes[8] = (uint8_t)(0x80 | (id.bytes[8] & 0x3f));
    return id;
}

static struct sync_uuid attachment_id(struct sync_bytes altinn2_attachment_id)
{
    char name[280];
    int size = snprintf(name, sizeof name, "attachment/%.*s", (int)altinn2_attachment_id.size,
                        (const char *)altinn2_attachment_id.data);
    return sync_id_v5(&id_space, (struct sync_bytes){(const uint8_t *)name, (size_t)size});
}

static void fill_attachments(struct load_message *message)
{
    for (size_t i = 0; i < message->attachment_count; i++) {
        struct load_attachment *attachment = &message->attachments[i];
        if (sync_uuid_is_zero(&attachment->id)) {
            attachment->id = attachment_id(attachment->altinn2_attachment_id);
        }
        if (!attachment->senders_reference.data) {
            attachment->senders_reference = message->senders_reference;
        }
    }
}

/* MG-17: a given date stands, else the earliest Published (2) entry. */
static void fill_published(struct load_message *message)
{
    if (message->published_us != LOAD_ABSENT) {
        return;
    }
    for (size_t i = 0; i < message->status_count; i++) {
        const struct load_act *act = &message->statuses[i];
        bool first = message->published_us == LOAD_ABSENT || act->at_us < message->published_us;
        if (act->kind == 2 && first) {
            message->published_us = act->at_us;
        }
    }
}

/* The number of the owner: what stands behind the last ':' of either form of a sender. */
static struct sync_bytes owner_of(struct sync_bytes sender)
{
    size_t start = sender.size;
    while (start > 0 && sender.data[start - 1] != ':') {
        start--;
    }
    struct sync_bytes number = {sender.data + start, sender.size - start};
    for (size_t i = 0; i < number.size; i++) {
        if (!isdigit(number.data[i])) {
            return (struct sync_bytes){NULL, 0};
        }
    }
    return number.size == 9 ? number : (struct sync_bytes){NULL, 0};
}

static sync_status fill_recipient(const struct reader *reader, struct load_message *message)
{
    uint8_t *text = (uint8_t *)message->recipient.data; /* our own copy */
    size_t colon = 0;
    for (size_t i = 0; i < message->recipient.size; i++) {
        text[i] = (uint8_t)tolower(text[i]);
        colon = text[i] == ':' ? i : colon;
    }
    if (strncmp((const char *)text, "urn:", 4) != 0 || colon + 1 >= message->recipient.size) {
        return wrong(reader, SYNC_CODE_FIELD_RANGE, "recipient", "the text is no URN with a value");
    }
    message->recipient_type = (struct sync_bytes){text, colon};
    return SYNC_OK;
}

static sync_status check_content(const struct reader *reader, const struct load_message *message)
{
    bool blank = true;
    const char *language = (const char *)message->language.data;
    for (size_t i = 0; i < message->title.size; i++) {
        blank = blank && isspace(message->title.data[i]);
    }
    if (blank) {
        return wrong(reader, SYNC_CODE_FIELD_RANGE, "title", "the text is blank");
    }
    if (strcmp(language, "nb") != 0 && strcmp(language, "nn") != 0 && strcmp(language, "en") != 0) {
        return wrong(reader, SYNC_CODE_FIELD_RANGE, "language", "the text is none of nb, nn, en");
    }
    return SYNC_OK;
}

static sync_status read_message(const struct reader *reader, const struct sync_json *json,
                                struct load_message *message)
{
    *message = (struct load_message){.hidden = true,
                                     .requested_publish_us = LOAD_ABSENT,
                                     .published_us = LOAD_ABSENT,
                                     .due_us = LOAD_ABSENT,
                                     .summary = sync_bytes_text(""),
                                     .body = sync_bytes_text("")};
    sync_status status = read_object(reader, json, FIELDS(message_fields), message);
    if (sync_is_ok(status)) {
        status = read_lists(reader, json, message);
    }
    if (sync_is_ok(status)) {
        status = fill_recipient(reader, message);
    }
    if (sync_is_ok(status)) {
        status = check_content(reader, message);
    }
    if (!sync_is_ok(status)) {
        return status;
    }
    if (sync_uuid_is_zero(&message->altinn3_id)) {
        message->altinn3_id = reserved_id(message->altinn2_id, message->created_us);
    }
    if (message->requested_publish_us == LOAD_ABSENT) {
        message->requested_publish_us = message->created_us;
    }
    message->owner = owner_of(message->sender);
    fill_published(message);
    fill_attachments(message);
    return SYNC_OK;
}

static sync_status read_item(const struct reader *reader, const struct sync_json *json,
                             struct load_item *item)
{
    struct sync_bytes type = sync_json_text(sync_json_get(json, "type"));
    if (sync_bytes_equal(type, sync_bytes_text("party"))) {
        item->is_party = true;
        return read_object(reader, json, FIELDS(party_fields), &item->party);
    }
    if (sync_bytes_equal(type, sync_bytes_text("message"))) {
        return read_message(reader, json, &item->message);
    }
    return wrong(reader, SYNC_CODE_FIELD_RANGE, "type",
                 "the value is neither \"party\" nor \"message\"");
}

sync_status correspondence_load_parse(struct sync_bytes text, struct sync_arena *arena,
                                      void **ret_item, struct sync_error *err)
{
    struct reader reader = {.arena = arena, .err = err};
    struct sync_json *json = NULL;
    sync_status status = sync_json_parse(text, &json, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    struct load_item *item = sync_arena_take(arena, sizeof *item);
    status = item ? read_item(&reader, json, item) : memory_full(&reader);
    sync_json_free(&json);
    if (sync_is_ok(status)) {
        *ret_item = item;
    }
    return status;
}

static const char *const types[] = {"party", "message", NULL};

const struct sync_loader sync_loader_correspondence = {
    .name = "correspondence",
    .types = types,
    .route = "status-to-altinn3",
    .parse = correspondence_load_parse,
    .write = correspondence_load_write,
};
