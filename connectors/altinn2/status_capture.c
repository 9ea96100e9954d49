/*
 * The capture "altinn2-status": what the receiver's calls about messages are, and the records that
 * come of them. Not here: listening, threads, producing (receiver.c), rules.
 */
#include "receiver_parts.h"

#include "../status_record.h"
#include "status_event.h"
#include "status_lookup.h"

#include <core/limits.h>
#include <runtime/home.h>
#include <runtime/log.h>
#include <runtime/route.h>
#include <stdio.h>
#include <stdlib.h>

#define CAPTURE      "altinn2-status"
#define PATH(call)   "/correspondence/api/v1/migration/correspondence/" call
#define RECORD_BYTES 1792 /* arena for one record: structs, eight short headers, value */

struct status_capture {
    struct receiver_shell *shell;
    const struct sync_schema *schema;
    struct resolver *resolver;
    struct status_lookup lookup;
};

static sync_status parse(struct sync_bytes body, const struct receiver_place *place,
                         void **ret_content, struct sync_error *err)
{
    struct status_event *event = NULL;
    (void)place;
    sync_status status = status_event_parse(body, &event, err);
    if (sync_is_ok(status)) {
        *ret_content = event;
    }
    return status;
}

/* The id that the records carry, 0 when the push has been answered and ended. */
static int32_t choose_id(struct status_capture *capture, struct push *push, int32_t found)
{
    const struct status_event *event = push->content;
    if (event->has_altinn2_id && found != 0 && found != event->altinn2_id) {
        push_end(&capture->shell->pushes, push, 400, "/altinn2CorrespondenceId",
                 "this message has another number in Altinn 3");
        return 0;
    }
    if (!event->has_altinn2_id && found == 0) {
        push_end(&capture->shell->pushes, push, 404, NULL,
                 "no message with this id and a number in Altinn 2");
        return 0;
    }
    return found != 0 ? found : event->altinn2_id;
}

/* The place of one push on the number line. */
struct placed {
    const char *stream;
    int64_t first;
    int32_t altinn2_id;
};

static struct status_change change_of(const struct push *push, const struct placed *placed,
                                      size_t index)
{
    const struct status_event *event = push->content;
    const struct status_event_item *item = &event->items[index];
    return (struct status_change){
        .source = {.system = 0,
                   .stream = sync_bytes_text(placed->stream),
                   .sequence = placed->first + (int64_t)index},
        .has_altinn2_id = true,
        .altinn2_id = placed->altinn2_id,
        .has_altinn3_id = true,
        .altinn3_id = event->altinn3_id,
        .mode = STATUS_LIVE,
        .captured_at_us = push->captured_at_us,
        .kind = item->kind,
        .occurred_at_us = item->occurred_at_us,
        .party = item->party,
        .has_user = item->has_user,
        .user = item->user,
    };
}

static sync_status make_records(const struct status_capture *capture, struct push *push,
                                const struct placed *placed, struct sync_error *err)
{
    const struct status_event *event = push->content;
    size_t size = (event->count + 1) * RECORD_BYTES;
    push->memory = malloc(size);
    if (!push->memory) {
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT, "make records: no memory");
    }
    struct sync_arena arena;
    sync_arena_init(&arena, push->memory, size);
    push->records = sync_arena_take_array(&arena, event->count, sizeof *push->records);
    sync_status status = SYNC_OK;
    for (size_t i = 0; i < event->count && sync_is_ok(status); i++) {
        struct status_change change = change_of(push, placed, i);
        struct status_record *record = sync_arena_take(&arena, sizeof *record);
        SYNC_ASSERT(record);
        status = status_record_make(capture->schema, &change, &arena, record, err);
        push->records[i] = (struct sync_kafka_record){.topic = capture->shell->topics[0].name,
                                                      .key = record->key,
                                                      .value = record->value,
                                                      .headers = record->headers,
                                                      .header_count = record->header_count};
    }
    push->record_count = event->count;
    return status;
}

/* Numbers and encodes what was resolved and hands it to the poll thread. */
static sync_status number_pushes(struct status_capture *capture, struct push **pushes,
                                 const int32_t *ids, size_t count, struct sync_error *err)
{
    char stream[64];
    size_t total = 0;
    struct resolver_run run;
    for (size_t i = 0; i < count; i++) {
        total += ((const struct status_event *)pushes[i]->content)->count;
    }
    sync_status status =
        count == 0 ? SYNC_OK : resolver_number(capture->resolver, total, &run, err);
    if (!sync_is_ok(status) || count == 0) {
        return status;
    }
    (void)snprintf(stream, sizeof stream, CAPTURE ".%d", (int)run.generation);
    for (size_t i = 0; i < count; i++) {
        struct placed placed = {stream, run.first, ids[i]};
        struct sync_error reason = {0};
        run.first += (int64_t)((const struct status_event *)pushes[i]->content)->count;
        sync_status made = make_records(capture, pushes[i], &placed, &reason);
        if (sync_is_ok(made)) {
            push_table_move(&capture->shell->pushes, pushes[i], PUSH_READY);
        } else {
            sync_log_error(SYNC_ERROR, "record_refused", &reason);
            push_end(&capture->shell->pushes, pushes[i], made.class == SYNC_CLASS_RETRY ? 503 : 500,
                     NULL, "the records of this call could not be made");
        }
    }
    return SYNC_OK;
}

static sync_status make(void *part, struct push **pushes, size_t count, struct sync_error *err)
{
    struct status_capture *capture = part;
    struct push *left[SYNC_HTTP_REQUESTS_MAX];
    struct sync_uuid ids[SYNC_HTTP_REQUESTS_MAX] = {{{0}}};
    int32_t found[SYNC_HTTP_REQUESTS_MAX] = {0};
    for (size_t i = 0; i < count; i++) {
        ids[i] = ((const struct status_event *)pushes[i]->content)->altinn3_id;
    }
    sync_status status =
        status_lookup_find(&capture->lookup, capture->resolver, ids, count, found, err);
    size_t kept = 0;
    for (size_t i = 0; i < count && sync_is_ok(status); i++) {
        int32_t id = choose_id(capture, pushes[i], found[i]);
        if (id != 0) {
            left[kept] = pushes[i];
            found[kept++] = id;
        }
    }
    return sync_is_ok(status) ? number_pushes(capture, left, found, kept, err) : status;
}

static sync_status ping(void *part, struct sync_error *err)
{
    struct status_capture *capture = part;
    return resolver_ping(capture->resolver, err);
}

static sync_status open_part(struct receiver_shell *shell, void **ret_part, struct sync_error *err)
{
    const struct sync_processor *processor = &sync_processor_correspondence_status;
    shell->topics[0].name = sync_route_topic_from(processor, SYNC_SYSTEM_ALTINN2);
    shell->topic_count = 1;
    SYNC_ASSERT(shell->topics[0].name);
    struct status_capture *capture = calloc(1, sizeof *capture);
    if (!capture) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_MEMORY_LIMIT,
                         "start the receiver: no memory");
    }
    *ret_part = capture;
    capture->shell = shell;
    capture->schema = sync_schema_set_find(shell->schemas, processor->schema);
    if (!capture->schema) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_FILE,
                         "find schema %s below schemas.dir: it is not there", processor->schema);
    }
    struct sync_home home;
    sync_status status =
        sync_home_find(shell->config, processor->home, "capture " CAPTURE, &home, err);
    return sync_is_ok(status) ? resolver_new(&home, CAPTURE, &capture->resolver, err) : status;
}

static void close_part(void **part)
{
    struct status_capture *capture = *part;
    resolver_free(&capture->resolver);
    free(capture);
    *part = NULL;
}

static const struct receiver_call calls[] = {
    {PATH("syncStatusEvent"), parse},
    {PATH("syncForwardingEvent"), NULL},
    {PATH("syncNotificationEvent"), NULL},
};

sync_status sync_receiver_run(const struct sync_config *config, struct sync_error *err)
{
    static const struct receiver_capture capture = {
        .name = CAPTURE,
        .calls = calls,
        .call_count = sizeof calls / sizeof calls[0],
        .open = open_part,
        .close = close_part,
        .make = make,
        .ping = ping,
    };
    return receiver_run(&capture, config, err);
}
