/* Reads the body of syncStatusEvent. Not here: what a kind means (processors/). */
#include "status_event.h"

#include <runtime/json.h>
#include <runtime/time_text.h>

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define POINTER_SIZE 64 /* = the field of an error */

/* Altinn's names, by wire number. */
static const char *const kind_names[] = {
    "Initialized",
    "ReadyForPublish",
    "Published",
    "Fetched",
    "Read",
    "Replied",
    "Confirmed",
    "PurgedByRecipient",
    "PurgedByAltinn",
    "Archived",
    "Reserved",
    "Failed",
    "AttachmentsDownloaded",
    "SoftDeletedByRecipient",
    "RestoredByRecipient",
};

static void free_json(struct sync_json **json)
{
    sync_json_free(json);
}

static sync_status wrong(struct sync_error *err, enum sync_code code, const char *pointer,
                         const char *reason)
{
    return sync_fail_field(err, SYNC_CLASS_PARK, code, pointer, "%s", reason);
}

static bool is_absent(const struct sync_json *value)
{
    return !value || sync_json_type_of(value) == SYNC_JSON_NULL;
}

static sync_status read_uuid(const struct sync_json *value, const char *pointer,
                             struct sync_uuid *ret_id, struct sync_error *err)
{
    if (is_absent(value)) {
        return wrong(err, SYNC_CODE_FIELD_MISSING, pointer, "a UUID is missing here");
    }
    if (sync_json_type_of(value) != SYNC_JSON_TEXT ||
        !sync_uuid_parse(sync_json_text(value), ret_id)) {
        return wrong(err, SYNC_CODE_UUID, pointer, "this is not a UUID of 36 characters");
    }
    return SYNC_OK;
}

static sync_status read_kind(const struct sync_json *value, const char *pointer, int32_t *ret_kind,
                             struct sync_error *err)
{
    if (is_absent(value)) {
        return wrong(err, SYNC_CODE_FIELD_MISSING, pointer, "the status is missing");
    }
    if (sync_json_type_of(value) == SYNC_JSON_INTEGER) {
        int64_t number = sync_json_integer(value);
        if (number < INT32_MIN || number > INT32_MAX) {
            return wrong(err, SYNC_CODE_FIELD_RANGE, pointer, "the status does not fit in 32 bits");
        }
        *ret_kind = (int32_t)number;
        return SYNC_OK;
    }
    if (sync_json_type_of(value) == SYNC_JSON_TEXT) {
        const char *name = (const char *)sync_json_text(value).data;
        for (size_t i = 0; i < sizeof kind_names / sizeof kind_names[0]; i++) {
            if (strcasecmp(name, kind_names[i]) == 0) {
                *ret_kind = (int32_t)i;
                return SYNC_OK;
            }
        }
    }
    return wrong(err, SYNC_CODE_KIND_UNKNOWN, pointer,
                 "the status is neither a number nor a known name");
}

static sync_status read_time(const struct sync_json *value, const char *pointer, int64_t *ret_us,
                             struct sync_error *err)
{
    if (is_absent(value)) {
        return wrong(err, SYNC_CODE_FIELD_MISSING, pointer, "the time is missing");
    }
    if (sync_json_type_of(value) != SYNC_JSON_TEXT ||
        !sync_time_parse(sync_json_text(value), ret_us)) {
        return wrong(err, SYNC_CODE_FIELD_RANGE, pointer,
                     "this is not an ISO 8601 time with its offset");
    }
    return SYNC_OK;
}

static sync_status read_item(const struct sync_json *item, size_t index,
                             struct status_event_item *ret_item, struct sync_error *err)
{
    char pointer[POINTER_SIZE];
    snprintf(pointer, sizeof pointer, "/syncedStatusEvents/%zu", index);
    size_t base = strlen(pointer);
    if (sync_json_type_of(item) != SYNC_JSON_OBJECT) {
        return wrong(err, SYNC_CODE_SYNTAX, pointer, "an act must be an object");
    }
    snprintf(pointer + base, sizeof pointer - base, "/status");
    sync_status status = read_kind(sync_json_get(item, "status"), pointer, &ret_item->kind, err);
    if (sync_is_ok(status)) {
        snprintf(pointer + base, sizeof pointer - base, "/statusChanged");
        status = read_time(sync_json_get(item, "statusChanged"), pointer, &ret_item->occurred_at_us,
                           err);
    }
    if (sync_is_ok(status)) {
        snprintf(pointer + base, sizeof pointer - base, "/eventUserPartyUuid");
        status =
            read_uuid(sync_json_get(item, "eventUserPartyUuid"), pointer, &ret_item->party, err);
    }
    ret_item->has_user = !is_absent(sync_json_get(item, "eventUserUuid"));
    if (sync_is_ok(status) && ret_item->has_user) {
        snprintf(pointer + base, sizeof pointer - base, "/eventUserUuid");
        status = read_uuid(sync_json_get(item, "eventUserUuid"), pointer, &ret_item->user, err);
    }
    return status;
}

static sync_status read_ids(const struct sync_json *root, struct status_event *event,
                            struct sync_error *err)
{
    sync_status status = read_uuid(sync_json_get(root, "correspondenceId"), "/correspondenceId",
                                   &event->altinn3_id, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    if (sync_uuid_is_zero(&event->altinn3_id)) {
        return wrong(err, SYNC_CODE_UUID, "/correspondenceId", "the zero UUID names no message");
    }
    const struct sync_json *extension = sync_json_get(root, "altinn2CorrespondenceId");
    if (is_absent(extension)) {
        return SYNC_OK;
    }
    int64_t number =
        sync_json_type_of(extension) == SYNC_JSON_INTEGER ? sync_json_integer(extension) : 0;
    if (number < 1 || number > INT32_MAX) {
        return wrong(err, SYNC_CODE_FIELD_RANGE, "/altinn2CorrespondenceId",
                     "this must be a number from 1 to 2147483647");
    }
    event->has_altinn2_id = true;
    event->altinn2_id = (int32_t)number;
    return SYNC_OK;
}

/* How many acts the list holds. */
static sync_status count_items(const struct sync_json *root, size_t *ret_count,
                               struct sync_error *err)
{
    if (sync_json_type_of(root) != SYNC_JSON_OBJECT) {
        return wrong(err, SYNC_CODE_SYNTAX, "", "the body must be an object");
    }
    const struct sync_json *list = sync_json_get(root, "syncedStatusEvents");
    if (is_absent(list)) {
        return wrong(err, SYNC_CODE_FIELD_MISSING, "/syncedStatusEvents",
                     "the list of acts is missing");
    }
    if (sync_json_type_of(list) != SYNC_JSON_ARRAY) {
        return wrong(err, SYNC_CODE_SYNTAX, "/syncedStatusEvents", "this must be a list of acts");
    }
    size_t count = sync_json_count(list);
    if (count == 0) {
        return wrong(err, SYNC_CODE_ITEM_COUNT, "/syncedStatusEvents", "the list of acts is empty");
    }
    *ret_count = count;
    return SYNC_OK;
}

sync_status status_event_parse(struct sync_bytes body, struct status_event **ret_event,
                               struct sync_error *err)
{
    __attribute__((cleanup(free_json))) struct sync_json *root = NULL;
    sync_status status = sync_json_parse(body, &root, err);
    size_t count = 0;
    if (sync_is_ok(status)) {
        status = count_items(root, &count, err);
    }
    if (!sync_is_ok(status)) {
        return status;
    }
    if (count > STATUS_EVENT_ITEMS_MAX) {
        return sync_fail_field(err, SYNC_CLASS_PARK, SYNC_CODE_OVERSIZE, "/syncedStatusEvents",
                               "more than %d acts in one call", STATUS_EVENT_ITEMS_MAX);
    }
    struct status_event *event = calloc(1, sizeof *event + count * sizeof event->items[0]);
    if (!event) {
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT, "read a push: no memory");
    }
    event->count = count;
    status = read_ids(root, event, err);
    const struct sync_json *list = sync_json_get(root, "syncedStatusEvents");
    for (size_t i = 0; i < count && sync_is_ok(status); i++) {
        status = read_item(sync_json_at(list, i), i, &event->items[i], err);
    }
    if (!sync_is_ok(status)) {
        free(event);
        return status;
    }
    *ret_event = event;
    return SYNC_OK;
}
