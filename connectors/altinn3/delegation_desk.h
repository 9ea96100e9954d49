/*
 * What the log does not carry of a delegation: the parties of an edge, the code of a role, the id
 * of a resource or package, the actions of a document, and whether a performer is a user. One round
 * trip for many rows; what cannot change is cached. One thread. Not here: what follows from it
 * (delegation_events.h).
 */
#ifndef SYNC_CONNECTORS_ALTINN3_DELEGATION_DESK_H
#define SYNC_CONNECTORS_ALTINN3_DELEGATION_DESK_H

#include "delegation_events.h"

#define DESK_CACHE_BYTES  (5 * 1024 * 1024) /* see the table in delegation_desk.c */
#define DESK_MEMORY_BYTES (512 * 1024)      /* parameters of one round trip */
#define DESK_ASKS_MAX     CAPTURE_ITEMS_MAX /* of one table in one round trip */
#define DESK_DOCUMENTS_MAX                                                                         \
    (DESK_MEMORY_BYTES / 2 / (DELEGATION_PATH_SIZE + DELEGATION_VERSION_SIZE + 16))

enum desk_table {
    DESK_EDGES,      /* assignment: from, to, role */
    DESK_CLIENTS,    /* delegation: its two assignments, the firm */
    DESK_ROLES,      /* container, code */
    DESK_RESOURCES,  /* id, type */
    DESK_PACKAGES,   /* URN */
    DESK_PERFORMERS, /* no user? */
    DESK_POINTERS,   /* where a row points now; never cached */
    DESK_TABLE_COUNT,
};

/* A document that an item needs. */
struct desk_document {
    const struct delegation_pointer *pointer;
    struct delegation_actions *actions;
    bool *found;
};

struct delegation_desk {
    struct sync_db *db; /* borrowed */
    struct delegation_known known;
    struct sync_uuid asks[DESK_TABLE_COUNT][DESK_ASKS_MAX];
    size_t ask_counts[DESK_TABLE_COUNT];
    struct desk_document documents[DESK_DOCUMENTS_MAX];
    size_t document_count;
    size_t unknown[DESK_ASKS_MAX]; /* entries of performers whom nobody knows: of one look-up */
    size_t unknown_count;
    uint8_t memory[DESK_MEMORY_BYTES];
    _Alignas(8) uint8_t cache[DESK_CACHE_BYTES];
};

/* An answer on its way. The first member is what events are made from. */
struct desk_answer {
    struct delegation_answer answer;
    bool has_edge, has_edge_before, has_object, has_object_before, has_pointer, has_now, has_old,
        has_performer;
    struct desk_ends {
        struct sync_uuid parties[2]; /* client and agent, as they become known */
        bool known[2];
    } ends, ends_before; /* of a client delegation */
};

/* As the members of capture_entity; rows are struct delegation_row. */
void delegation_desk_open(void *desk, const struct sync_config *config, struct sync_db *db);
void delegation_desk_learn(void *desk, const struct capture_item *item);
sync_status delegation_desk_resolve(void *desk, struct capture_item *items, size_t count,
                                    struct sync_error *err);
void delegation_desk_expire(void *desk, struct capture_item *item);
uint64_t delegation_desk_order(void *desk, const struct capture_item *item);

#endif
