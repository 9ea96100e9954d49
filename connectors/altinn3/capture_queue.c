/* Bounded queue between two threads. */
#include "capture_queue.h"

#include <time.h>

void capture_queue_init(struct capture_queue *queue)
{
    pthread_condattr_t monotonic;
    queue->first = 0;
    queue->count = 0;
    (void)pthread_condattr_init(&monotonic); /* these cannot fail on Linux */
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&queue->changed, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    (void)pthread_mutex_init(&queue->lock, NULL);
}

void capture_queue_done(struct capture_queue *queue)
{
    (void)pthread_cond_destroy(&queue->changed);
    (void)pthread_mutex_destroy(&queue->lock);
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
    while (queue->count == CAPTURE_QUEUE_MAX && waited == 0) {
        waited = pthread_cond_timedwait(&queue->changed, &queue->lock, &deadline);
    }
    bool room = queue->count < CAPTURE_QUEUE_MAX;
    if (room) {
        queue->items[(queue->first + queue->count) % CAPTURE_QUEUE_MAX] = *event;
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
        ret_events[i] = queue->items[(queue->first + i) % CAPTURE_QUEUE_MAX];
    }
    queue->first = (queue->first + count) % CAPTURE_QUEUE_MAX;
    queue->count -= count;
    (void)pthread_cond_signal(&queue->changed);
    (void)pthread_mutex_unlock(&queue->lock);
    return count;
}
