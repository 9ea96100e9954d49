/*
 * What the stream thread of the capture tells the poll thread, in order. Bounded; the only state
 * they share besides a few atomics. Not here: what is done with an event.
 */
#ifndef SYNC_CONNECTORS_ALTINN3_CAPTURE_QUEUE_H
#define SYNC_CONNECTORS_ALTINN3_CAPTURE_QUEUE_H

#include <altinn_sync/correspondence_status.h>
#include <pthread.h>

#define CAPTURE_QUEUE_MAX 8192 /* 2 MiB; some tenths of a second of a busy source */

enum capture_event_type {
    CAPTURE_CHANGE,  /* a change of the open transaction */
    CAPTURE_COMMIT,  /* the open transaction ends; the next one may begin at lsn */
    CAPTURE_IDLE,    /* nothing is open, nothing lies before lsn */
    CAPTURE_RESTART, /* what follows begins again behind the confirmed prefix */
};
struct capture_event {
    enum capture_event_type type;
    uint64_t lsn;
    bool urgent;                 /* idle: the server waits for an answer */
    struct status_change change; /* its texts live as long as the stream */
};

struct capture_queue {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t first, count;
    struct capture_event items[CAPTURE_QUEUE_MAX];
};

/* Fails: never. */
void capture_queue_init(struct capture_queue *queue);
void capture_queue_done(struct capture_queue *queue);
/* Copies an event in. False when there was no room for timeout_ms. */
bool capture_queue_put(struct capture_queue *queue, const struct capture_event *event,
                       int timeout_ms);
/* Copies the oldest events out, at most capacity. Waits at most timeout_ms for the first. */
size_t capture_queue_take(struct capture_queue *queue, struct capture_event *ret_events,
                          size_t capacity, int timeout_ms);

#endif
