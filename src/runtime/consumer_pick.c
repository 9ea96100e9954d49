/*
 * Picks the next batch out of the ring of records: contiguous, of one partition that we own, within
 * the limits; what is of no use is released. Not here: what becomes of the batch
 * (consumer_batch.c).
 */
#include "consumer_parts.h"

struct sync_bytes consumer_record_key(const struct consumer_record *record)
{
    if (record->key_null) {
        return (struct sync_bytes){NULL, 0};
    }
    return (struct sync_bytes){(const uint8_t *)(record + 1), record->key_size};
}

struct sync_bytes consumer_record_value(const struct consumer_record *record)
{
    if (record->value_null) {
        return (struct sync_bytes){NULL, 0};
    }
    return (struct sync_bytes){(const uint8_t *)(record + 1) + record->key_size,
                               record->value_size};
}

struct sync_digest consumer_record_digest(const struct consumer_record *record)
{
    return sync_digest_record(record->offset, record->timestamp_ms, consumer_record_key(record),
                              consumer_record_value(record));
}

static void fail_tail(struct consumer *c, const struct consumer_record *record)
{
    struct sync_error err = {0};
    struct sync_place at = consumer_place(c, record->place);
    (void)sync_fail(&err, SYNC_CLASS_FATAL, SYNC_CODE_CLUSTER,
                    "read %s:%d at %lld: this is not the record that was applied last: the topic "
                    "was truncated or made anew; see docs/operators.md",
                    at.topic, at.partition, (long long)record->offset);
    consumer_fail(c, &err);
}

static void stop_gap(struct consumer *c, const struct consumer_record *record)
{
    struct sync_error err = {0};
    struct sync_place at = consumer_place(c, record->place);
    (void)sync_fail(&err, SYNC_CLASS_FATAL, SYNC_CODE_GAP,
                    "read %s:%d: the next record is %lld, the position is %lld, records between "
                    "them are gone; see docs/operators.md",
                    at.topic, at.partition, (long long)record->offset,
                    (long long)c->apply.places[record->place].position);
    consumer_stop_partition(c, record->place, &err);
}

/* Holes in the offsets of such a topic mean nothing. */
static bool is_sparse(const struct consumer *c, int32_t place)
{
    return c->sparse[sync_kafka_place_topic(place)];
}

/*
 * Whether a record is the next one of a partition that we own. Others are of no use any more: of a
 * lost or stopped partition, the tail that was only compared, or below the position (SEEN).
 */
static bool is_next(struct consumer *c, const struct consumer_record *record)
{
    struct consumer_partition *p = &c->apply.places[record->place];
    if (record->generation != c->apply.generation || p->state != PARTITION_OWNED) {
        return false;
    }
    if (p->check_tail && record->offset == p->position - 1) {
        p->check_tail = false;
        struct sync_digest digest = consumer_record_digest(record);
        if (memcmp(digest.bytes, p->tail.bytes, sizeof digest.bytes) != 0) {
            fail_tail(c, record);
        }
        return false;
    }
    if (record->offset < p->position) {
        return false;
    }
    if ((record->offset > p->position || p->check_tail) && !is_sparse(c, record->place)) {
        stop_gap(c, record); /* also when the tail itself did not come */
        return false;
    }
    return true;
}

/* The oldest record that is the next one of its partition; what stands before it is released. */
static struct consumer_record *first_record(struct consumer *c)
{
    size_t size = 0;
    struct consumer_record *record = sync_ring_next(c->records, NULL, &size);
    while (record != NULL && !atomic_load(&c->failed)) {
        if (is_next(c, record)) {
            return record;
        }
        sync_ring_release(c->records, record);
        record = sync_ring_next(c->records, NULL, &size);
    }
    return NULL;
}

/* Takes the first record and those that follow it without a hole, within the limits of a batch. */
static void take_batch(struct consumer *c, struct consumer_record *first)
{
    struct consumer_apply *a = &c->apply;
    const struct consumer_partition *p = &a->places[first->place];
    size_t most = consumer_yield_records(c);
    most = p->records_max < most ? p->records_max : most;
    size_t bytes = 0;
    size_t size = 0;
    int64_t next = first->offset;
    a->item_count = 0;
    struct consumer_record *record = first;
    while (record != NULL && a->item_count < most) {
        bool ours = record->place == first->place && record->generation == a->generation;
        if (ours && record->offset != next && !is_sparse(c, first->place)) {
            break;
        }
        bytes += ours ? (size_t)record->key_size + record->value_size : 0;
        if (ours && a->item_count > 0 && bytes > (size_t)c->config->batch_bytes_max) {
            break;
        }
        void *item = record;
        record = sync_ring_next(c->records, item, &size);
        if (ours) {
            sync_ring_take(c->records, item);
            a->items[a->item_count++] = item;
            next = ((struct consumer_record *)item)->offset + 1;
        }
    }
}

bool consumer_pick(struct consumer *c)
{
    struct consumer_record *first = first_record(c);
    if (first == NULL) {
        return false;
    }
    take_batch(c, first);
    SYNC_ASSERT(c->apply.item_count > 0);
    return true;
}

void consumer_give_back(struct consumer *c, bool done)
{
    struct consumer_apply *a = &c->apply;
    for (size_t i = 0; i < a->item_count; i++) {
        if (done) {
            sync_ring_release(c->records, a->items[i]);
        } else {
            sync_ring_put_back(c->records, a->items[i]);
        }
    }
    a->item_count = 0;
}
