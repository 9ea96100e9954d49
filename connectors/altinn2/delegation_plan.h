/*
 * What a call about delegations becomes: its events, its answer, its records. Stream thread. Not
 * here: numbers, exports' rows, who is answered when.
 */
#ifndef SYNC_ALTINN2_DELEGATION_PLAN_H
#define SYNC_ALTINN2_DELEGATION_PLAN_H
#include "delegation_parts.h"

struct delegation_found;

struct delegation_plan {
    struct push *push;
    struct delegation_call *call; /* the push's content */
    struct sync_arena arena;      /* over the push's memory */
    size_t events;
    size_t *group_of;               /* ADD: event of each rule */
    struct delegation_found *found; /* DELETE: of each element */
    size_t *element_of;             /* DELETE: element of each event */
    int64_t first;                  /* number of the first event */
    int64_t *numbers;               /* of an export: of each event */
};

/* Bytes of memory that the plan of a call and its records need at most. */
size_t delegation_plan_size(const struct delegation_call *call);

/*
 * Plans a call that makes events: counts them and prepares code and body of the answer.
 * Owns:   what it takes belongs to the push.  Blocks: for look-ups.
 * Fails:  as resolver_exec; RETRY memory_limit.
 */
sync_status delegation_plan_make(struct delegation_capture *capture, struct push *push,
                                 struct delegation_plan *plan, struct sync_error *err);

/* The change of one event, but for its stream. */
struct delegation_change delegation_plan_change(const struct delegation_capture *capture,
                                                struct delegation_plan *plan, size_t event);

/* Makes the push's records. Fails: PARK or RETRY as delegation_record_make. */
sync_status delegation_plan_records(const struct delegation_capture *capture,
                                    struct delegation_plan *plan, int32_t generation,
                                    struct sync_error *err);
#endif
