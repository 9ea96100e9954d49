/*
 * What the files of the projection share: one row of Altinn 3 that a batch writes, on the condition
 * that it is as it was last seen (DL-83). Not here: which rows are due (rules).
 */
#ifndef CONNECTORS_ALTINN3_DELEGATION_PROJECT_H
#define CONNECTORS_ALTINN3_DELEGATION_PROJECT_H
#include "delegation_depend.h"
#include "delegation_policy.h"

/* A row of Altinn 3 as it stands now. */
struct deleg_found {
    bool there;
    struct sync_uuid id, writer;
    int64_t valid_us;
};

enum deleg_act {
    DELEG_NOTHING, /* it is as wanted */
    DELEG_INSERT,
    DELEG_UPDATE,
    DELEG_REMOVE,
    DELEG_PUT_OFF, /* it is not as it was last seen */
};

struct deleg_write {
    struct deleg_slot *slot;
    uint64_t wanted;                 /* the set that the row is to stand for */
    struct sync_uuid from, to, role; /* of the assignment */
    struct sync_uuid assignment_id;  /* ours, when it is made */
    struct sync_uuid delegation_id;  /* client: ours, or the one that is there */
    struct sync_uuid id;             /* ours, when it is inserted */
    struct deleg_found assignment, delegation, row;
    bool row_is_newer;                       /* a transaction that began after ours wrote it */
    struct sync_uuid row_delegation;         /* client: below which the row stands */
    bool has_delegation;                     /* client: there is one of this relation */
    struct sync_bytes path, version;         /* of the document that is written … */
    struct sync_bytes row_path, row_version; /* … and of the one that the row names */
    struct sync_uuid performer;
    struct sync_bytes operation;
    enum deleg_act act;
    bool known, content_known; /* put off: content of the row was looked up, and found */
    uint64_t content;
    bool through;
};

struct deleg_writes {
    struct deleg_write *items;
    size_t count;
    int64_t clock_us; /* the server's clock when the rows were read */
};

static inline enum delegation_kind deleg_kind(const struct deleg_write *write)
{
    return deleg_key(write->slot)->name.kind;
}

/* Makes parents that are missing, locks all, and reads the rows. */
sync_status deleg_find_rows(struct deleg_batch *all, struct deleg_writes *writes,
                            struct sync_error *err);
/* Writes documents and rows, and removes parents without children; sets through. */
sync_status deleg_write_a3(struct deleg_batch *all, struct deleg_writes *writes,
                           struct sync_error *err);
#endif
