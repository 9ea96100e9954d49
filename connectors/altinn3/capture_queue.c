/* Bounded queue between two threads. */
#include "capture_queue.h"

#include <stdlib.h>
#include <time.h>

bool capture_queue_init(struct capture_queue *queue, size_t row_size, size_t capacity)
{
    pthread_condattr_t monotonic;
    *queue = (struct capture_queue){.row_size = row_size, .capacity = capacity};
    queue->items = calloc(capacity, sizeof *queue->items);
    queue->rows = calloc(capacity, row_size);
    if (queue->items == NULL || queue->rows == NULL) {
        free(queue->items);
        free(queue->rows);
        queue->items = NULL;
        return false;
    }
    (void)pthread_condattr_init(&monotonic); /* these cannot fail on Linux */
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&queue->changed, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    (void)pthread_mutex_init(&queue->lock, NULL);
    return true;
}

void capture_queue_done(struct capture_queue *queue)
{
    if (queue->items == NULL) {
        return;
    }
    (void)pthread_cond_destroy(&queue->changed);
    (void)pthread_mutex_destroy(&queue->lock);
    free(queue->items);
    free(queue->rows);
    queue->items = NULL;
}

static struct timespec deadline_of(int timeout_ms)
{
    struct timespec at;
    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += timeout_ms / 1000;
    at.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    return at;
}

bool capture_queue_put(struct capture_queue *queue, const struct capture_event *event,
                       int timeout_ms)
{
    struct timespec deadline = deadline_of(timeout_ms);
    (void)pthread_mutex_lock(&queue->lock);
    int waited = 0;
    while (queue->count == queue->capacity && waited == 0) {
        waited = pthread_cond_timedwait(&queue->changed, &queue->lock, &deadline);
    }
    bool room = queue->count < queue->capacity;
    if (room) {
        size_t at = (queue->first + queue->count) % queue->capacity;
        queue->items[at] = *event;
        if (event->row != NULL) {
            memcpy(queue->rows + at * queue->row_size, event->row, queue->row_size);
        }
        queue->count++;
        (void)pthread_cond_signal(&queue->changed);
    }
    (void)pthread_mutex_unlock(&queue->lock);
    return room;
}

size_t capture_queue_take(struct capture_queue *queue, struct capture_event *ret_events,
                          size_t capacity, int timeout_ms)
{
    struct timespec deadline = deadline_of(timeout_ms);
    (void)pthread_mutex_lock(&queue->lock);
    int waited = 0;
    while (queue->count == 0 && waited == 0) {
        waited = pthread_cond_timedwait(&queue->changed, &queue->lock, &deadline);
    }
    size_t count = queue->count < capacity ? queue->count : capacity;
    for (size_t i = 0; i < count; i++) {
        size_t at = (queue->first + i) % queue->capacity;
        void *row = ret_events[i].row;
        bool has_row = queue->items[at].row != NULL;
        ret_events[i] = queue->items[at];
        ret_events[i].row = row;
        if (has_row && row != NULL) {
            memcpy(row, queue->rows + at * queue->row_size, queue->row_size);
        }
    }
    queue->first = (queue->first + count) % queue->capacity;
    queue->count -= count;
    (void)pthread_cond_signal(&queue->changed);
    (void)pthread_mutex_unlock(&queue->lock);
    return count;
}
