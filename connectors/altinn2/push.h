/*
 * What a receiver has in hand: a table of places that pass from thread to thread by stage. A place
 * is a call of Altinn 2, or something that a thread of ours has to say. It outlives its answer
 * while the broker still owes delivery reports. Not here: what a call says.
 */
#ifndef SYNC_ALTINN2_PUSH_H
#define SYNC_ALTINN2_PUSH_H
#include <pthread.h>
#include <runtime/http_server.h>
#include <runtime/kafka.h>

/* Four times the open requests: answered pushes whose reports are still due keep their place. */
#define PUSHES_MAX 256

enum push_stage {
    PUSH_FREE,
    PUSH_WAITING,   /* for the stream thread */
    PUSH_RESOLVING, /* in the stream thread, or in the thread that reserved the place */
    PUSH_READY,     /* for the poll thread */
    PUSH_FLYING,    /* in the poll thread: produced, reports are due */
    PUSH_STORED,    /* for the stream thread, which confirms it: every report is in */
};

/* What became of a place that a thread of ours reserved. */
enum push_outcome { PUSH_PENDING, PUSH_DONE, PUSH_FAILED };

/* stage, request and outcome are guarded by the table's lock, all else belongs to the thread of the
 * stage. */
struct push {
    enum push_stage stage;
    struct sync_http_request *request; /* NULL once answered, or when nobody called */
    enum push_outcome *outcome;        /* told when the place is freed; NULL = nobody asks */
    void *content;                     /* what the call says; freed with the place */
    int64_t number;                    /* order of arrival */
    int64_t received_us;               /* monotonic */
    int64_t captured_at_us;            /* wall clock */
    void *memory; /* of the records; freed once they are produced, and with the place */
    struct sync_kafka_record *records; /* their tag is the place's business */
    size_t record_count;
    bool confirm;        /* the stream thread wants it back when every record is stored */
    int code;            /* of the answer when every record is stored */
    char *body;          /* JSON of that answer, malloc'ed; NULL = none */
    size_t outstanding;  /* delivery reports that are due */
    bool failed, stored; /* stored: every report is in, and none failed */
};

struct push_table {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool closed;
    int64_t next_number;
    struct push items[PUSHES_MAX];
};

/* Empty and open. */
void push_table_init(struct push_table *table);
/* Takes no more pushes, answers what is open with 503 and frees the places. The listener may still
 * run. */
void push_table_close(struct push_table *table);
void push_table_done(struct push_table *table); /* no other thread may use it any more */

/* Takes over request and content. False when closed or every place is taken: both stay with the
 * caller. */
bool push_table_add(struct push_table *table, struct sync_http_request *request, void *content);

/*
 * A place for records that nobody called for, in stage PUSH_RESOLVING of the caller's thread, which
 * then fills it and moves it to PUSH_READY. outcome is PUSH_PENDING until the place is freed.
 * Owns: outcome must live until then.  Blocks: no.  Fails: NULL when closed or every place is
 * taken.
 */
struct push *push_table_reserve(struct push_table *table, enum push_outcome *outcome);

/* Waits until the outcome is known, at most timeout_ms. */
enum push_outcome push_table_await(struct push_table *table, const enum push_outcome *outcome,
                                   int timeout_ms);

/* Waits for a push in one of two stages, at most timeout_ms. */
void push_table_wait(struct push_table *table, enum push_stage one, enum push_stage other,
                     int timeout_ms);
/* Up to max pushes in order of arrival, moved from one stage to another; waits at most timeout_ms
 * for the first. */
size_t push_table_take(struct push_table *table, enum push_stage from, enum push_stage to,
                       struct push **ret_pushes, size_t max, int timeout_ms);
void push_table_move(struct push_table *table, struct push *push, enum push_stage stage);
/* Whether the place still holds the push of this number, in this stage. */
bool push_table_holds(struct push_table *table, const struct push *push, int64_t number,
                      enum push_stage stage);

/* Answers, unless it is answered already or nobody called. detail NULL = no body; pointer NULL =
 * none. */
void push_answer(struct push_table *table, struct push *push, int code, const char *pointer,
                 const char *detail);
/* The answer that the place holds ready: its code and body. */
void push_answer_stored(struct push_table *table, struct push *push);
/* Frees the place and tells its outcome. */
void push_release(struct push_table *table, struct push *push);
/* Both: answers with problem details, and frees the place. */
void push_end(struct push_table *table, struct push *push, int code, const char *pointer,
              const char *detail);

/*
 * The time up to which the stream thread has taken every call: now, or when the earliest one came
 * that still waits for it.
 * Blocks: no.  Units: wall clock, microseconds since 1970.
 */
int64_t push_table_taken_us(struct push_table *table);

/* 503 to every open request that came before deadline_us (monotonic). Returns how many. */
size_t push_table_expire(struct push_table *table, int64_t deadline_us);
/* Requests that are not answered. */
size_t push_table_open(struct push_table *table);

/* Answers a request that never became a push. */
void push_reply(struct sync_http_request *request, int code, const char *pointer,
                const char *detail);
#endif
