/*
 * What the stream thread of the capture tells the poll thread, in order. Bounded; the only state
 * they share besides a few atomics. Not here: what is done with an event.
 */
#ifndef SYNC_CONNECTORS_ALTINN3_CAPTURE_QUEUE_H
#define SYNC_CONNECTORS_ALTINN3_CAPTURE_QUEUE_H

#include <altinn_sync/types.h>
#include <pthread.h>

enum capture_event_type {
    CAPTURE_CHANGE,  /* a row of the open transaction */
    CAPTURE_COMMIT,  /* the open transaction ends; the next one may begin at lsn */
    CAPTURE_IDLE,    /* nothing is open, nothing lies before lsn */
    CAPTURE_RESTART, /* what follows begins again behind the confirmed prefix */
};
struct capture_event {
    enum capture_event_type type;
    bool urgent;    /* idle: the server waits for an answer */
    bool own_write; /* change: its transaction has an origin of ours */
    uint64_t lsn;
    int64_t sequence;     /* change */
    int64_t committed_us; /* change: when its transaction was committed */
    void *row;            /* change: its bytes, copied in and out */
};

struct capture_queue {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t row_size, capacity, first, count;
    struct capture_event *items;
    uint8_t *rows;
};

/*
 * Room for capacity events with rows of row_size bytes.
 * Owns: capture_queue_done frees it.  Fails: false without memory.
 */
bool capture_queue_init(struct capture_queue *queue, size_t row_size, size_t capacity);
/* A queue in zeroed memory is fine. */
void capture_queue_done(struct capture_queue *queue);
/* Copies an event in. False when there was no room for timeout_ms. */
bool capture_queue_put(struct capture_queue *queue, const struct capture_event *event,
                       int timeout_ms);
/*
 * Copies the oldest events out, at most capacity. Waits at most timeout_ms for the first. The row
 * of each element points to room of the caller's, or is NULL; a row is copied there.
 */
size_t capture_queue_take(struct capture_queue *queue, struct capture_event *ret_events,
                          size_t capacity, int timeout_ms);

#endif
