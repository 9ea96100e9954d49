/*
 * The capture's own thread: the role feed, the load and the watermark, by turns, over one
 * connection to the home database. Not here: what they do.
 */
#include "delegation_reader.h"
#include "delegation_feed.h"
#include "delegation_order.h"
#include "delegation_watermark.h"

#include <runtime/clock.h>
#include <runtime/health.h>
#include <runtime/home.h>
#include <runtime/log.h>
#include <stdlib.h>
#include <time.h>

#define IDLE_MS 100

struct delegation_reader {
    struct receiver_shell *shell;
    struct resolver *resolver;
    struct delegation_feed *feed; /* NULL = no bridge is configured */
    struct delegation_order *order;
    struct delegation_watermark *watermark;
};

sync_status delegation_reader_new(struct delegation_capture *capture, const struct sync_home *home,
                                  struct delegation_reader **ret_reader, struct sync_error *err)
{
    struct delegation_reader *reader = calloc(1, sizeof *reader);
    if (!reader) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_MEMORY_LIMIT,
                         "start the capture: no memory");
    }
    reader->shell = capture->shell;
    sync_status status = resolver_new(home, DELEGATION_CAPTURE, &reader->resolver, err);
    if (sync_is_ok(status)) {
        status = delegation_feed_new(capture, reader->resolver, &reader->feed, err);
    }
    if (sync_is_ok(status)) {
        status = delegation_order_new(capture, reader->resolver, &reader->order, err);
    }
    if (sync_is_ok(status)) {
        status = delegation_watermark_new(capture, reader->resolver, &reader->watermark, err);
    }
    if (!sync_is_ok(status)) {
        delegation_reader_free(&reader);
        return status;
    }
    sync_health_expect(SYNC_LOOP_FEED, 60000); /* a page, its producing and three look-ups */
    *ret_reader = reader;
    return SYNC_OK;
}

void delegation_reader_free(struct delegation_reader **reader)
{
    if (*reader) {
        delegation_watermark_free(&(*reader)->watermark);
        delegation_order_free(&(*reader)->order);
        delegation_feed_free(&(*reader)->feed);
        resolver_free(&(*reader)->resolver);
        free(*reader);
        *reader = NULL;
    }
}

void delegation_reader_run(struct delegation_reader *reader)
{
    if (!reader->feed) {
        sync_log(SYNC_INFO, "feed_off", SYNC_LOG_TEXT("reason", "bridge.base_url is empty"));
    }
    while (!atomic_load(&reader->shell->ending)) {
        struct sync_error err = {0};
        sync_health_beat(SYNC_LOOP_FEED);
        bool busy = reader->feed && delegation_feed_turn(reader->feed);
        sync_status status = delegation_order_turn(reader->order, &err);
        if (sync_is_ok(status)) {
            status = delegation_watermark_turn(reader->watermark, &err);
        }
        if (!sync_is_ok(status)) {
            receiver_judge_database(reader->shell, status, &err);
        }
        if (!busy) {
            nanosleep(&(struct timespec){.tv_nsec = IDLE_MS * 1000000L}, NULL);
        }
    }
}
