/*
 * What the files of the consumer share. The two threads share nothing but the three rings, the
 * wake-ups and the atomics of struct consumer. Internal: only consumer*.c include it.
 */
#ifndef SYNC_RUNTIME_CONSUMER_PARTS_H
#define SYNC_RUNTIME_CONSUMER_PARTS_H
#include "../core/limits.h"
#include "claim.h"
#include "consumer.h"
#include "housekeeping.h"
#include "kafka.h"
#include "pause.h"
#include "ring.h"
#include "sender.h"
#include "yield.h"

#include <pthread.h>

#define CONSUMER_PLACES_MAX SYNC_KAFKA_PLACES_MAX

/* A place is the number of one partition of one of the route's topics: see kafka.h. */

/* Poll -> apply, ring "records": one record, its key and value behind it. */
struct consumer_record {
    uint32_t generation;
    int32_t place;
    int64_t offset, timestamp_ms;
    bool append_time, key_null, value_null;
    uint32_t key_size, value_size;
};

/* Poll -> apply, ring "events". */
enum consumer_event_type {
    EVENT_ASSIGNED, /* a struct consumer_assignment follows */
    EVENT_REVOKED,
    EVENT_MARKS,           /* answer to COMMAND_MARKS */
    EVENT_RESET,           /* the broker has no such offset; low and high say what it has */
    EVENT_PARTITION_ERROR, /* the client cannot unpack a batch at offset */
    EVENT_HIGH,            /* high mark, once a second */
};
struct consumer_event {
    enum consumer_event_type type;
    uint32_t generation;
    int32_t place;
    int64_t offset, low, high;
};
struct consumer_assignment {
    struct consumer_event event;
    char cluster_id[64];
    int32_t partitions_total[SYNC_ROUTE_INPUTS_MAX]; /* of each topic */
    size_t count;
    int32_t places[CONSUMER_PLACES_MAX]; /* only count of them go through the ring */
};

/* Apply -> poll, ring "commands". */
enum consumer_command_type {
    COMMAND_READ,  /* a struct consumer_reads follows: start reading there */
    COMMAND_MARKS, /* ask for the marks of the partition */
    COMMAND_DROP,  /* stop reading the partition */
    COMMAND_HINT,  /* tell the group the position */
    COMMAND_PAUSE,
    COMMAND_RESUME,
};
struct consumer_command {
    enum consumer_command_type type;
    uint32_t generation;
    int32_t place;
    int64_t offset;
};
struct consumer_reads {
    struct consumer_command command;
    size_t count;
    struct sync_kafka_start starts[CONSUMER_PLACES_MAX]; /* only count of them go through */
};

/* A partition as the apply thread sees it. */
enum consumer_partition_state {
    PARTITION_NONE,
    PARTITION_NEW,      /* assigned; it is not known yet whether it has an owner row */
    PARTITION_STARTING, /* first start: waits for the marks */
    PARTITION_CLAIMING, /* to be claimed with start */
    PARTITION_OWNED,
    PARTITION_STOPPED, /* alarm; stays assigned to nobody else's harm */
    PARTITION_FENCED,
};
struct consumer_partition {
    enum consumer_partition_state state;
    int64_t start;
    int64_t epoch, position, hinted;
    bool check_tail; /* the first record must be the one before position */
    struct sync_digest tail;
    int64_t high;           /* -1 = not known */
    size_t records_max;     /* of the next batch: halved after a refusal, doubled after success */
    int64_t refused_offset; /* refused by the database when tried alone: parked next; -1 = none */
    struct sync_error refused;
    int gone_tries;        /* how often one record alone met a row that is gone */
    int64_t idle_since_us; /* lag without a record in the ring since then; 0 = no */
    uint8_t parked_ring[SYNC_PARK_WINDOW / 8]; /* which of the last records were parked */
    size_t window_at, window_count, window_parked;
};

/* Waiting for a dependency: 1, 2, 4 … 10 s between probes. */
struct consumer_breaker {
    bool open;
    int64_t probe_at_us;
    int64_t delay_ms;
};

/* A commit that nobody knows about; the batch stays as it is until the owner row has answered. */
struct consumer_doubt {
    bool open;
    int32_t place;
    uint32_t generation;
    int64_t epoch;
    int64_t last; /* offset of the batch's last record */
    size_t lane_effects;
};

/* Where the adoption sweep goes on. */
struct consumer_sweep_place {
    int32_t place;
    struct sync_key after; /* ids behind this one are next */
    size_t ids_max;        /* of the next transaction; 0 = the partition is not begun */
    bool fruitful;         /* the last call released something */
};

/* Only the apply thread touches this. */
struct consumer_apply {
    struct sync_db *db;
    struct sync_applier applier;
    struct sync_housekeeping housekeeping;
    struct sync_arena arena;
    struct sync_batch batch;
    void **items; /* of the ring, taken for the batch */
    size_t item_count;
    uint32_t generation;
    struct consumer_partition places[CONSUMER_PLACES_MAX];
    struct consumer_breaker breaker;
    bool paused;         /* by an operator */
    bool reading_paused; /* what the poll thread was told last */
    int64_t pause_look_at_us;
    struct consumer_doubt doubt;
    bool claims_due;
    bool comparing; /* the topic of the assignment is not compared yet */
    struct consumer_assignment assignment;
    int64_t claim_at_us, retry_at_us;
    int64_t retry_delay_ms;
    int64_t batch_at_us;  /* when the transaction of the last batch began */
    size_t release_max;   /* of one entity, while more takes too long; 0 = as many as ever */
    int64_t fenced_at_us; /* 0 = nothing fenced since the last assignment */
    struct consumer_sweep_place sweep;
    int64_t sweep_at_us, housekeeping_at_us, hint_at_us, gauge_at_us;
    unsigned seed; /* of the jitter */
    bool started;
    bool stop_hook_done;
};

/* Of a backlog: how far its live route is. The thread writes marks, all else is the apply
 * thread's. */
struct consumer_yield {
    const struct sync_route *live; /* NULL = this route gives way to nobody */
    size_t place_end;              /* behind the last place of live's topics */
    int32_t partitions[SYNC_ROUTE_INPUTS_MAX];
    struct sync_kafka_looker *looker;
    struct sync_ring *marks; /* struct sync_yield_marks */
    struct sync_wake wake;   /* ends a wait of the thread */
    pthread_t thread;
    struct sync_yield_live moments;
    struct sync_yield state;
    int64_t behind_us, batch_us;
    int64_t positions[SYNC_KAFKA_PLACES_MAX]; /* of live, when it was looked at last */
    int64_t moved_at_us;                      /* when live was last seen to have something to do */
    size_t records;                           /* of the next batch at most */
    int64_t look_at_us, tell_at_us;
    int64_t try_at_us; /* slow batches: when one is tried again */
    bool told;         /* sync.yield has our row */
};

struct consumer {
    const struct sync_consumer_options *options;
    const struct sync_config *config;
    const char *scope;
    const struct sync_route *route;
    int32_t place_end; /* behind the last place of the route's topics */
    bool sparse[SYNC_ROUTE_INPUTS_MAX];
    char holder[160];
    struct sync_kafka_consumer *kafka;                   /* poll thread */
    struct sync_sender *senders[SYNC_ROUTE_TARGETS_MAX]; /* one per target of the route */
    size_t sender_count;
    struct sync_ring *records, *events, *commands;
    struct sync_wake apply_wake, poll_wake;
    struct consumer_apply apply;
    struct consumer_yield yield;
    atomic_bool stopping; /* drain: apply ends after its batch, then poll closes */
    atomic_bool apply_ended, sender_ended, poll_ended;
    atomic_int failed; /* 1 once failure is filled */
    atomic_flag failing;
    struct sync_error failure; /* written once, read after failed */
};

/* Records the first reason to stop with exit 1. Any thread. */
void consumer_fail(struct consumer *c, const struct sync_error *err);

/* Thread bodies. */
void *consumer_poll_main(void *context);
void *consumer_apply_main(void *context);

/* Key, value and digest of a record in the ring; valid until it is released. */
struct sync_bytes consumer_record_key(const struct consumer_record *record);
/* Same, the value; data NULL = null. */
struct sync_bytes consumer_record_value(const struct consumer_record *record);
/* Digest that the owner row keeps of the last record applied. */
struct sync_digest consumer_record_digest(const struct consumer_record *record);

/* Steps of the apply thread; now_us is its monotonic clock, read once per turn. */

/* Hears what the poll thread tells: assignments, marks, resets, high marks. */
void consumer_events(struct consumer *c, int64_t now_us);
/* Looks whether an operator paused the consumer, or let it go on. */
void consumer_pause_look(struct consumer *c, int64_t now_us);
/*
 * A backlog: makes the parts that look at its live route, starts and ends the thread. Another
 * route: nothing. Fails: FATAL config, internal; RETRY memory_limit.
 */
sync_status consumer_yield_make(struct consumer *c, struct sync_error *err);
sync_status consumer_yield_start(struct consumer *c, struct sync_error *err);
void consumer_yield_stop(struct consumer *c);
/* Looks once a second how far live is, and decides whether to give way. */
void consumer_yield_look(struct consumer *c, int64_t now_us);
/* A batch has ended, applied (done) or not: what it took of the database counts. */
void consumer_yield_batch(struct consumer *c, int64_t batch_us, bool done);
/* How many records a batch may have beside live; another route: as many as it likes. */
size_t consumer_yield_records(const struct consumer *c);
/* Whether nothing may be applied or adopted now, because live comes first. */
bool consumer_yields(const struct consumer *c, int64_t now_us);
/* Claims what is assigned and not owned yet, with a backoff. */
void consumer_claims(struct consumer *c, int64_t now_us);
/* Picks and applies one batch. True when something was done, so that the loop goes on at once. */
bool consumer_next_batch(struct consumer *c, int64_t now_us);
/* Asks the owner row about the commit in doubt, if there is one. */
void consumer_settle_doubt(struct consumer *c, int64_t now_us);
/* Adoption, ageing and housekeeping when they are due. */
void consumer_sweep(struct consumer *c, int64_t now_us);
/* Part of it: adopts and ages for a while. False when there is more to do. */
bool consumer_adopt(struct consumer *c);
/* Partitions that we own, ascending; room for CONSUMER_PARTITIONS_MAX. Returns how many. */
size_t consumer_owned(const struct consumer *c, int32_t *ret_partitions);
/* Gauges and health, once a second. */
void consumer_gauges(struct consumer *c, int64_t now_us);
/* Tells the group the positions that moved; last = now, whatever the clock says. */
void consumer_hints(struct consumer *c, int64_t now_us, bool last);

/* Takes the next batch into apply.items; false when there is none. */
bool consumer_pick(struct consumer *c);
/* Ends the batch: its records leave the ring (done), or are the oldest again. */
void consumer_give_back(struct consumer *c, bool done);

/* Scope, topic and partition of a place, as the database names them. */
struct sync_place consumer_place(const struct consumer *c, int32_t place);
/* An empty batch of the place in the arena, which forgets the last one. */
void consumer_begin_batch(struct consumer *c, int32_t place);
/* The transaction of one entity ran out of time: it releases half as many next. False when that is
 * not what failed, or there is no half. */
bool consumer_release_less(struct consumer *c, const struct sync_error *err);
/* A batch is committed: where fewer were left than may be released, the next may be as many as
 * ever. */
void consumer_release_done(struct consumer *c);
/* A command to the poll thread; waits for room, which is there unless the poll thread is gone. */
void consumer_command(struct consumer *c, const void *command, size_t size);
/* Lets the poll thread read, or not: while the database is waited for or an operator paused us. */
void consumer_reading(struct consumer *c);
/* Adds topics and partitions of places as two arrays, in the batch arena. */
void consumer_places_params(const struct consumer *c, const int32_t *places, size_t count,
                            struct sync_params *params);
/* Bytes of an assignment, and of a command to read, as far as they are used. */
size_t consumer_assignment_size(const struct consumer_assignment *assignment);
size_t consumer_reads_size(const struct consumer_reads *reads);
/* Starts reading one place. */
void consumer_read(struct consumer *c, int32_t place, int64_t offset);
/* Another claimer has the partition: nothing more for it, once logged. */
void consumer_fence(struct consumer *c, int32_t place, int64_t epoch, int64_t now_us);
/* Stops one partition with an alarm; the others go on. */
void consumer_stop_partition(struct consumer *c, int32_t place, const struct sync_error *err);
/* Reacts to a failure of the database by its class: stop, breaker or backoff. */
void consumer_trouble(struct consumer *c, const struct sync_error *err, int64_t now_us);
/* A batch was committed that let so many effects wait: the senders are told which. */
void consumer_tell_senders(struct consumer *c, size_t lane_effects);
/* Gives the lanes of a partition to the senders, or takes them. */
void consumer_own_lanes(struct consumer *c, int32_t place, int64_t epoch);
void consumer_disown_lanes(struct consumer *c, int32_t place);
/* Takes the partitions of the process from the senders. */
void consumer_disown_all(struct consumer *c);

#endif
