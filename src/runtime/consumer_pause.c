/*
 * The operator's switch of a consumer: looked at once a second, and before anything is applied for
 * the first time. While it is on, nothing is applied, adopted or sent; partitions stay owned and
 * claims, hints and housekeeping go on. Not here: the switch itself (pause.c).
 */
#include "consumer_parts.h"
#include "health.h"
#include "log.h"
#include "metrics.h"

static struct sync_metric *paused;

static void tell(const struct sync_pause *found)
{
    if (found->on) {
        sync_log(SYNC_WARN, "paused", SYNC_LOG_TEXT("reason", found->reason));
    } else {
        sync_log(SYNC_INFO, "resumed");
    }
    sync_health_paused(found->on);
}

void consumer_pause_look(struct consumer *c, int64_t now_us)
{
    struct consumer_apply *a = &c->apply;
    struct sync_pause found = {0};
    struct sync_error err = {0};
    if (a->breaker.open || a->doubt.open || now_us < a->pause_look_at_us ||
        now_us < a->retry_at_us) {
        return;
    }
    if (!sync_is_ok(sync_pause_read(a->db, c->scope, &found, &err))) {
        consumer_trouble(c, &err, now_us); /* looked again before anything is applied */
        return;
    }
    a->pause_look_at_us = now_us + (int64_t)SYNC_PAUSE_LOOK_MS * 1000;
    if (found.on != a->paused) {
        a->paused = found.on;
        tell(&found);
        consumer_reading(c);
    }
    for (size_t i = 0; i < c->sender_count; i++) {
        sync_sender_pause(c->senders[i], found.on); /* they begin paused: see make_sender */
    }
    if (paused == NULL) {
        paused =
            sync_metric_new(SYNC_GAUGE, "paused", "1 while an operator paused it.", "consumer");
    }
    sync_metric_set(paused, found.on, SYNC_LABELS(c->scope));
}
