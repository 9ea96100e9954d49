/*
 * Stream thread. A restart, for whatever reason:
 *   1. The stream thread closes its connection and checks slot and server again.
 *   2. It puts RESTART behind everything it put before, and waits.
 *   3. The poll thread takes RESTART: reports of earlier records count no more; it sets start_lsn
 * to the end of its confirmed prefix and adds one to restarts_taken.
 *   4. The stream thread begins at start_lsn. So nothing is skipped that was not stored by the
 * broker, and what is sent twice has the same identity.
 */
#include "capture_stream.h"

#include "capture_metrics.h"

#include <core/limits.h>
#include <poll.h>
#include <runtime/clock.h>
#include <runtime/health.h>
#include <runtime/log.h>
#include <runtime/migrate.h>
#include <stdio.h>
#include <stdlib.h>

#define READ_MS     200
#define TELL_US     (SYNC_CAPTURE_FEEDBACK_MS * 1000LL / 2) /* half: a late turn is still in time */
#define TELL_NEW_US 1000000LL                               /* a new position is told so often */
#define OWN_ORIGIN  "sync:" /* pools of our consumers: sync:<consumer>:<n> */

static bool must_leave(const struct capture_stream *stream)
{
    return atomic_load(&stream->ends) || atomic_load(&stream->restart);
}

/* Talk to the server
 * --------------------------------------------------------------------------------- */

static sync_status tell(struct capture_stream *stream, struct sync_error *err)
{
    uint64_t confirmed_lsn = atomic_load(&stream->confirmed_lsn);
    sync_status status =
        capture_wire_confirm(stream->wire, stream->received_lsn, confirmed_lsn, err);
    stream->told_lsn = confirmed_lsn;
    stream->told_us = sync_clock_monotonic_us();
    stream->is_asked = false;
    return status;
}

static sync_status tell_when_due(struct capture_stream *stream, struct sync_error *err)
{
    int64_t since_us = sync_clock_monotonic_us() - stream->told_us;
    bool is_new = atomic_load(&stream->confirmed_lsn) != stream->told_lsn;
    if (stream->is_asked || since_us > TELL_US || (is_new && since_us > TELL_NEW_US)) {
        return tell(stream, err);
    }
    return SYNC_OK;
}

/* While the poll thread is behind, the server still hears of us. What is dropped here is read
 * again. */
static sync_status put(struct capture_stream *stream, const struct capture_event *event,
                       struct sync_error *err)
{
    sync_status status = SYNC_OK;
    while (!capture_queue_put(&stream->queue, event, READ_MS) && !must_leave(stream) &&
           sync_is_ok(status)) {
        sync_health_beat(SYNC_LOOP_STREAM);
        status = tell_when_due(stream, err);
    }
    return status;
}

/* Messages of the log
 * -------------------------------------------------------------------------------- */

static struct capture_relation *find_relation(struct capture_stream *stream, uint32_t id)
{
    for (size_t i = 0; i < stream->relation_count; i++) {
        if (stream->relations[i].id == id) {
            return &stream->relations[i];
        }
    }
    return NULL;
}

static sync_status take_relation(struct capture_stream *stream, struct sync_error *err)
{
    struct capture_relation *relation = find_relation(stream, stream->message.relation_id);
    if (!relation && stream->relation_count == CAPTURE_RELATIONS_MAX) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_CONFIG,
                         "read publication %s: it holds more than %d tables; what it should hold "
                         "says %s",
                         stream->source.publication, CAPTURE_RELATIONS_MAX,
                         stream->entity->tables->publication_file);
    }
    if (!relation) {
        relation = &stream->relations[stream->relation_count++];
    }
    relation->id = stream->message.relation_id;
    return row_plan_make(stream->entity->tables, &stream->message, &relation->known,
                         &relation->plan, err);
}

/*
 * Number of the change among those that share its position: rows of one COPY do. Every change
 * counts, published or not, so that the number is the same whenever the log is read. A row takes as
 * many numbers as it can become records: the log is longer than that.
 */
static int64_t next_sequence(struct capture_stream *stream, uint64_t lsn)
{
    stream->ordinal = lsn == stream->change_lsn ? stream->ordinal + 1 : 0;
    stream->change_lsn = lsn;
    return stream->source.sequence_base + (int64_t)lsn +
           stream->ordinal * (int64_t)stream->entity->parts;
}

static sync_status take_row(struct capture_stream *stream, uint64_t lsn, struct sync_error *err)
{
    const struct capture_entity *entity = stream->entity;
    int64_t sequence = next_sequence(stream, lsn);
    const struct capture_relation *relation = find_relation(stream, stream->message.relation_id);
    if (!relation || !stream->in_transaction) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_PROTOCOL,
                         "read the stream: a row came without its %s",
                         relation ? "transaction" : "relation");
    }
    if (!relation->known) {
        return SYNC_OK;
    }
    enum capture_fate fate = CAPTURE_FATE_OTHER;
    sync_status status =
        entity->read(stream->reader, &relation->plan, &stream->message, &fate, stream->row, err);
    if (!sync_is_ok(status) || fate == CAPTURE_FATE_OTHER) {
        return status;
    }
    if (fate == CAPTURE_FATE_OWN_WRITE || (stream->is_own_write && entity->drops_own_writes)) {
        capture_count_dropped("own_write");
        return SYNC_OK;
    }
    struct capture_event event = {.type = CAPTURE_CHANGE,
                                  .own_write = stream->is_own_write,
                                  .lsn = lsn,
                                  .sequence = sequence,
                                  .committed_us = stream->committed_us,
                                  .row = stream->row};
    return put(stream, &event, err);
}

static bool is_own_origin(struct sync_bytes name)
{
    size_t size = sizeof OWN_ORIGIN - 1;
    return name.size >= size && memcmp(name.data, OWN_ORIGIN, size) == 0;
}

static void begin_transaction(struct capture_stream *stream)
{
    stream->in_transaction = true;
    stream->is_own_write = false;
    stream->committed_us = stream->message.committed_us;
    stream->change_lsn = 0;
    stream->ordinal = 0;
    if (stream->entity->begin != NULL) {
        stream->entity->begin(stream->reader);
    }
}

static sync_status take_message(struct capture_stream *stream, const struct pgoutput_frame *frame,
                                struct sync_error *err)
{
    struct pgoutput_message *message = &stream->message;
    sync_status status = pgoutput_message_read(frame->body, message, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    switch (message->type) {
    case PGOUTPUT_BEGIN:
        begin_transaction(stream);
        return SYNC_OK;
    case PGOUTPUT_ORIGIN:
        stream->is_own_write = is_own_origin(message->name);
        return SYNC_OK;
    case PGOUTPUT_RELATION:
        return take_relation(stream, err);
    case PGOUTPUT_INSERT:
    case PGOUTPUT_UPDATE:
        return take_row(stream, frame->lsn, err);
    case PGOUTPUT_COMMIT:
        stream->in_transaction = false;
        return put(stream, &(struct capture_event){.type = CAPTURE_COMMIT, .lsn = message->end_lsn},
                   err);
    case PGOUTPUT_DELETE:
        (void)next_sequence(stream, frame->lsn); /* counts, and is not published */
        return SYNC_OK;
    case PGOUTPUT_TYPE:
    case PGOUTPUT_TRUNCATE:
    case PGOUTPUT_MESSAGE:
        return SYNC_OK;
    }
    return SYNC_OK;
}

static sync_status take_chunk(struct capture_stream *stream, struct sync_bytes chunk,
                              struct sync_error *err)
{
    struct pgoutput_frame frame;
    sync_status status = pgoutput_frame_read(chunk, &frame, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    if (frame.end_lsn > stream->received_lsn) {
        stream->received_lsn = frame.end_lsn;
    }
    if (frame.type == PGOUTPUT_FRAME_DATA) {
        return take_message(stream, &frame, err);
    }
    stream->is_asked = stream->is_asked || frame.reply_requested;
    if (stream->in_transaction) {
        return SYNC_OK;
    }
    return put(stream,
               &(struct capture_event){
                   .type = CAPTURE_IDLE, .lsn = frame.end_lsn, .urgent = frame.reply_requested},
               err);
}

static sync_status pump(struct capture_stream *stream, struct sync_error *err)
{
    sync_status status = SYNC_OK;
    while (!must_leave(stream) && sync_is_ok(status)) {
        struct sync_bytes chunk;
        sync_health_beat(SYNC_LOOP_STREAM);
        status = capture_wire_read(stream->wire, READ_MS, &chunk, err);
        if (sync_is_ok(status) && chunk.size > 0) {
            status = take_chunk(stream, chunk, err);
        }
        if (sync_is_ok(status)) {
            status = tell_when_due(stream, err);
        }
    }
    return sync_is_ok(status) ? tell(stream, err) : status;
}

/* Begin
 * ---------------------------------------------------------------------------------------------- */

static sync_status compare_with_config(const struct capture_stream *stream,
                                       const struct capture_source *source, struct sync_error *err)
{
    const struct capture_entity *entity = stream->entity;
    const char *slot = capture_slot_of(entity, stream->config);
    const char *publication = capture_publication_of(entity, stream->config);
    if (source->found &&
        (strcmp(source->slot, slot) != 0 || strcmp(source->publication, publication) != 0)) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_CONFIG,
                         "%s is %s and %s %s, but sync.source records %s and %s: correct the "
                         "settings, or run capture init again",
                         entity->slot_option, slot, entity->publication_option, publication,
                         source->slot, source->publication);
    }
    if (stream->source.found && stream->source.generation != source->generation) {
        return sync_fail(
            err, SYNC_CLASS_FATAL, SYNC_CODE_SLOT,
            "sync.source is of generation %d by now, not %d: somebody ran capture init; start this "
            "process again",
            (int)source->generation, (int)stream->source.generation);
    }
    return SYNC_OK;
}

/* What is recorded, and the server and slot as they are. */
static sync_status ask_source(struct capture_stream *stream, struct capture_source *ret_source,
                              struct capture_slot *ret_slot, struct capture_identity *ret_identity,
                              struct sync_error *err)
{
    const struct capture_entity *entity = stream->entity;
    sync_status status = sync_db_schema_check(stream->db, stream->home.name, err);
    if (sync_is_ok(status)) {
        status = capture_source_read(stream->db, entity->name, ret_source, err);
    }
    if (sync_is_ok(status)) {
        status = compare_with_config(stream, ret_source, err);
    }
    if (sync_is_ok(status)) {
        status = capture_wire_open(stream->home.dsn, stream->home.setting, entity->name,
                                   &stream->wire, ret_identity, err);
    }
    if (sync_is_ok(status) && ret_source->found) {
        status = capture_slot_read(stream->db, entity, ret_source, ret_slot, err);
    }
    return status;
}

/* Slot, server and settings against what is recorded. */
static sync_status check_source(struct capture_stream *stream, struct sync_error *err)
{
    const struct capture_entity *entity = stream->entity;
    struct capture_source source;
    struct capture_slot slot = {.found = false};
    struct capture_identity identity;
    bool gap = false;
    sync_status status = ask_source(stream, &source, &slot, &identity, err);
    if (sync_is_ok(status)) {
        capture_set_gaps(slot.open_gaps);
        status = capture_source_check(entity, &source, &slot, &identity, &gap, err);
    }
    if (gap) { /* the refusal stands, whether the record of it succeeds or not */
        struct sync_error ignored;
        (void)capture_gap_store(stream->db, entity->name, &source, err->text, &ignored);
    }
    if (sync_is_ok(status) && !stream->source.found) {
        stream->source = source;
        (void)snprintf(stream->text, sizeof stream->text, "%s.%d", entity->stream,
                       (int)source.generation);
    }
    if (sync_is_ok(status)) {
        atomic_store(&stream->recorded_lsn, source.delivered_lsn);
    }
    return status;
}

/* Steps 2 to 4 of a restart. */
static sync_status restart(struct capture_stream *stream, struct sync_error *err)
{
    struct capture_event event = {.type = CAPTURE_RESTART};
    stream->restarts_sent++;
    atomic_store(&stream->restart, false);
    while (!capture_queue_put(&stream->queue, &event, READ_MS) && !atomic_load(&stream->ends)) {
        sync_health_beat(SYNC_LOOP_STREAM);
    }
    while (atomic_load(&stream->restarts_taken) != stream->restarts_sent &&
           !atomic_load(&stream->ends)) {
        sync_health_beat(SYNC_LOOP_STREAM);
        (void)poll(NULL, 0, 10);
    }
    if (atomic_load(&stream->ends)) {
        return SYNC_OK;
    }
    stream->in_transaction = false;
    stream->relation_count = 0;
    stream->is_asked = false;
    stream->received_lsn = atomic_load(&stream->start_lsn);
    stream->told_us = sync_clock_monotonic_us();
    return capture_wire_start(stream->wire, stream->source.slot, stream->source.publication,
                              stream->received_lsn, err);
}

static sync_status stream_once(struct capture_stream *stream, struct sync_error *err)
{
    sync_status status = check_source(stream, err);
    sync_db_disconnect(stream->db); /* it is needed at the next restart only */
    if (sync_is_ok(status)) {
        status = restart(stream, err);
    }
    if (sync_is_ok(status) && !atomic_load(&stream->ends)) {
        sync_health_set(SYNC_DEP_DATABASE, true);
        sync_health_started();
        sync_log(SYNC_INFO, "streaming", SYNC_LOG_TEXT("slot", stream->source.slot));
        status = pump(stream, err);
    }
    capture_wire_close(&stream->wire);
    return status;
}

static void wait_before_retry(const struct capture_stream *stream, int wait_ms)
{
    int64_t end_us = sync_clock_monotonic_us() + wait_ms * 1000LL;
    while (sync_clock_monotonic_us() < end_us && !atomic_load(&stream->ends)) {
        sync_health_beat(SYNC_LOOP_STREAM);
        (void)poll(NULL, 0, 50);
    }
}

void *capture_stream_run(void *context)
{
    struct capture_stream *stream = context;
    int wait_ms = SYNC_BACKOFF_FIRST_MS;
    while (!atomic_load(&stream->ends)) {
        struct sync_error err = {0};
        int64_t begun_us = sync_clock_monotonic_us();
        sync_status status = stream_once(stream, &err);
        if (sync_is_ok(status)) {
            continue;
        }
        if (status.class != SYNC_CLASS_RETRY) {
            stream->fatal = err;
            atomic_store(&stream->broken, true);
            return NULL;
        }
        sync_health_set(SYNC_DEP_DATABASE, false);
        sync_log_error(SYNC_WARN, "source_unreachable", &err);
        bool was_long = sync_clock_monotonic_us() - begun_us > SYNC_BACKOFF_MAX_MS * 1000LL;
        wait_ms = was_long ? SYNC_BACKOFF_FIRST_MS : wait_ms;
        wait_before_retry(stream, wait_ms);
        wait_ms = wait_ms * 2 < SYNC_BACKOFF_MAX_MS ? wait_ms * 2 : SYNC_BACKOFF_MAX_MS;
    }
    return NULL;
}

sync_status capture_stream_init(struct capture_stream *stream, const struct capture_entity *entity,
                                const struct sync_config *config, struct sync_error *err)
{
    char application[64];
    sync_status status = capture_home_of(entity, config, &stream->home, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    struct sync_db_options options = {
        .dsn = stream->home.dsn, .setting = stream->home.setting, .application = application};
    (void)snprintf(application, sizeof application, "%s-check", entity->name);
    stream->entity = entity;
    stream->config = config;
    stream->row = calloc(1, entity->row_size);
    stream->reader = calloc(1, entity->reader_size > 0 ? entity->reader_size : 1);
    if (stream->row == NULL || stream->reader == NULL ||
        !capture_queue_init(&stream->queue, entity->row_size, entity->queue_rows)) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_MEMORY_LIMIT,
                         "start the capture: no memory");
    }
    return sync_db_new(&options, &stream->db, err);
}

void capture_stream_done(struct capture_stream *stream)
{
    capture_wire_close(&stream->wire);
    sync_db_free(&stream->db);
    capture_queue_done(&stream->queue);
    free(stream->reader);
    free(stream->row);
}
