/* Reads members of foreign JSON objects. Not here: which members there are. */
#include "fields.h"

#include <runtime/time_text.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define NUMBER_SIZE 24
#define TIME_SIZE   48

struct fields fields_of(const struct sync_json *object, const char *at, struct sync_error *err)
{
    struct fields fields = {.object = object, .err = err, .status = SYNC_OK};
    (void)snprintf(fields.at, sizeof fields.at, "%s", at);
    if (sync_json_type_of(object) != SYNC_JSON_OBJECT) {
        fields_refuse(&fields, "", SYNC_CODE_SYNTAX, "an object must stand here");
    }
    return fields;
}

struct search {
    const char *name;
    const struct sync_json *found;
};

static void look(const char *name, const struct sync_json *value, void *context)
{
    struct search *search = context;
    if (!search->found && strcasecmp(name, search->name) == 0) {
        search->found = value;
    }
}

const struct sync_json *fields_get(const struct fields *fields, const char *name)
{
    struct search search = {name, sync_json_get(fields->object, name)};
    if (!search.found) {
        sync_json_each(fields->object, look, &search);
    }
    return sync_json_type_of(search.found) == SYNC_JSON_NULL ? NULL : search.found;
}

void fields_refuse(struct fields *fields, const char *name, enum sync_code code, const char *reason)
{
    char pointer[FIELDS_POINTER_SIZE + 40];
    if (!sync_is_ok(fields->status)) {
        return;
    }
    (void)snprintf(pointer, sizeof pointer, "%s%s%s", fields->at, name[0] ? "/" : "", name);
    fields->status = sync_fail_field(fields->err, SYNC_CLASS_PARK, code, pointer, "%s", reason);
}

void fields_need(struct fields *fields, const char *name)
{
    if (!fields_get(fields, name)) {
        fields_refuse(fields, name, SYNC_CODE_FIELD_MISSING, "a value is missing here");
    }
}

bool fields_read_number(const struct sync_json *value, int64_t *ret_number)
{
    char text[NUMBER_SIZE];
    char *end = NULL;
    if (sync_json_type_of(value) == SYNC_JSON_INTEGER) {
        *ret_number = sync_json_integer(value);
        return true;
    }
    struct sync_bytes bytes = fields_trim(sync_json_text(value));
    if (sync_json_type_of(value) != SYNC_JSON_TEXT || bytes.size == 0 || bytes.size > 19) {
        return false;
    }
    memcpy(text, bytes.data, bytes.size);
    text[bytes.size] = '\0';
    size_t digits = strspn(text[0] == '-' ? text + 1 : text, "0123456789");
    if (digits == 0 || digits + (text[0] == '-') != bytes.size) {
        return false;
    }
    *ret_number = strtoll(text, &end, 10); /* at most 19 characters: what does not fit saturates */
    return true;
}

int64_t fields_long(struct fields *fields, const char *name)
{
    const struct sync_json *value = fields_get(fields, name);
    int64_t number = 0;
    if (value && !fields_read_number(value, &number)) {
        fields_refuse(fields, name, SYNC_CODE_FIELD_RANGE, "a whole number must stand here");
    }
    return number;
}

int32_t fields_int(struct fields *fields, const char *name)
{
    int64_t number = fields_long(fields, name);
    if (number < 0 || number > INT32_MAX) {
        fields_refuse(fields, name, SYNC_CODE_FIELD_RANGE,
                      "this must be a number from 0 to 2147483647");
        return 0;
    }
    return (int32_t)number;
}

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

struct sync_bytes fields_trim(struct sync_bytes text)
{
    while (text.size > 0 && is_blank(text.data[0])) {
        text.data++;
        text.size--;
    }
    while (text.size > 0 && is_blank(text.data[text.size - 1])) {
        text.size--;
    }
    return text;
}

bool fields_canonical(struct sync_bytes text, char *ret_text, size_t capacity)
{
    text = fields_trim(text);
    if (text.size == 0 || text.size >= capacity) {
        return false;
    }
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];
        ret_text[i] = (char)(byte >= 'A' && byte <= 'Z' ? byte + ('a' - 'A') : byte);
    }
    ret_text[text.size] = '\0';
    return true;
}

struct sync_bytes fields_text(struct fields *fields, const char *name, size_t size_max)
{
    const struct sync_json *value = fields_get(fields, name);
    struct sync_bytes text = fields_trim(sync_json_text(value));
    if (value && sync_json_type_of(value) != SYNC_JSON_TEXT) {
        fields_refuse(fields, name, SYNC_CODE_SYNTAX, "a text must stand here");
    } else if (text.size > size_max) {
        fields_refuse(fields, name, SYNC_CODE_LENGTH, "this text is too long");
    }
    return text.size > size_max ? (struct sync_bytes){NULL, 0} : text;
}

bool fields_read_uuid(struct sync_bytes text, struct sync_uuid *ret_id)
{
    text = fields_trim(text);
    if (text.size == SYNC_UUID_TEXT + 2 && text.data[0] == '{' && text.data[text.size - 1] == '}') {
        text.data++;
        text.size -= 2;
    }
    return text.size > 0 && sync_uuid_parse(text, ret_id);
}

bool fields_uuid(struct fields *fields, const char *name, struct sync_uuid *ret_id)
{
    const struct sync_json *value = fields_get(fields, name);
    struct sync_uuid id = {{0}};
    if (!value) {
        return false;
    }
    if (!fields_read_uuid(sync_json_text(value), &id)) {
        fields_refuse(fields, name, SYNC_CODE_UUID, "this is not a UUID of 36 characters");
        return false;
    }
    if (sync_uuid_is_zero(&id)) {
        return false;
    }
    *ret_id = id;
    return true;
}

bool fields_time(struct fields *fields, const char *name, bool needs_offset, int64_t *ret_us)
{
    char zoned[TIME_SIZE];
    const struct sync_json *value = fields_get(fields, name);
    struct sync_bytes text = fields_trim(sync_json_text(value));
    if (!value) {
        return false;
    }
    if (sync_time_parse(text, ret_us)) {
        return true;
    }
    if (!needs_offset && text.size > 0 && text.size + 2 < sizeof zoned) {
        (void)snprintf(zoned, sizeof zoned, "%.*sZ", (int)text.size, (const char *)text.data);
        if (sync_time_parse(sync_bytes_text(zoned), ret_us)) {
            return true;
        }
    }
    fields_refuse(fields, name, SYNC_CODE_FIELD_RANGE,
                  needs_offset ? "this is not an ISO 8601 time with its offset"
                               : "this is not an ISO 8601 time");
    return false;
}
