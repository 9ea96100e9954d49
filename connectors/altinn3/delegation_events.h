/*
 * A row of Altinn 3's tables of delegations, with what the log does not carry, to events of the
 * record. Pure. Rules: sections 3, 7 and 11 of the domain reference, docs/decisions/0051. Not here:
 * looking things up (delegation_desk.h), numbering and producing (capture_publisher.h).
 */
#ifndef SYNC_CONNECTORS_ALTINN3_DELEGATION_EVENTS_H
#define SYNC_CONNECTORS_ALTINN3_DELEGATION_EVENTS_H

#include "delegation_row_map.h"

/* Actions of a document, one per line; as many as one event may name (DL-105). */
#define DELEGATION_ACTIONS_SIZE (DELEGATION_RIGHTS_MAX * DELEGATION_RIGHT_SIZE + 1)
#define DELEGATION_EVENT_PARTS  2 /* of one row */

/* The role of an assignment: what hangs on it counts under its container only. */
enum delegation_container {
    DELEGATION_CONTAINER_OTHER, /* a relation of the company register, or nothing we know */
    DELEGATION_CONTAINER_RIGHTHOLDER,
    DELEGATION_CONTAINER_APP,
    DELEGATION_CONTAINER_SUPPLIER,
    DELEGATION_CONTAINER_ROLE, /* the assignment of an Altinn 2 role is the delegation */
};

/* Who gives to whom, seen from a row. */
struct delegation_edge {
    struct sync_uuid from, to, facilitator; /* facilitator: of a client delegation */
    enum delegation_container container;
    char role[DELEGATION_ROLE_SIZE]; /* container ROLE: its code */
};

enum delegation_object_type {
    DELEGATION_OBJECT_PLAIN,
    DELEGATION_OBJECT_SCHEMA,  /* MaskinportenSchema: its container is the supplier's */
    DELEGATION_OBJECT_ALTINN2, /* Altinn2Service: written through, never our event */
};
struct delegation_object {
    char id[DELEGATION_TARGET_SIZE]; /* resource id or package URN */
    enum delegation_object_type type;
};

/* Actions of a document. One that nobody finds counts as empty: a row without it gives nothing. */
struct delegation_actions {
    bool missing; /* waited for in vain */
    char names[DELEGATION_ACTIONS_SIZE];
};

struct delegation_answer {
    struct delegation_edge edge, edge_before;
    struct delegation_object object, object_before;
    struct delegation_actions now, old;
    bool performer_is_no_user; /* an organisation, a system user or a system */
};

/* Well-known ids as numbers, and our own. */
struct delegation_known {
    struct sync_uuid sync[4];   /* whose writes are echoes; the first is ours */
    struct sync_uuid people[3]; /* systems through which people act */
};

/* Fails: false when own is no UUID. */
bool delegation_known_init(struct delegation_known *known, const char *own);

/*
 * Whether an answered row is to be published. ret_reason: of a drop, static; NULL = it is none of
 * ours at all.
 */
bool delegation_row_counts(const struct delegation_row *row, const struct delegation_answer *answer,
                           const char **ret_reason);

/*
 * One part of a row that counts: the event without stream, number and capture time. Numbers of its
 * parts count up.
 * Owns: texts borrow from row and answer, lists lie in the arena.
 * Fails: false when the row has no such part; RETRY memory_limit when the arena is full.
 */
sync_status delegation_event_make(const struct delegation_known *known,
                                  const struct capture_item *item, unsigned part,
                                  struct sync_arena *arena, bool *ret_present,
                                  struct delegation_change *ret_change, struct sync_error *err);

#endif
