/*
 * What the rows of Altinn 3's tables of delegations and of their history tell: a row came, went, or
 * points at another document. Pure. A decoded update carries no old values and a decoded deletion
 * only an id; both stand in the row that a trigger puts into history in the same transaction. So an
 * update waits here for its history. Not here: parties, actions, who counts as a person
 * (delegation_events.h, delegation_desk.h).
 */
#ifndef SYNC_CONNECTORS_ALTINN3_DELEGATION_ROW_MAP_H
#define SYNC_CONNECTORS_ALTINN3_DELEGATION_ROW_MAP_H

#include "capture_entity.h"
#include <altinn_sync/delegation.h>

#define DELEGATION_PATH_SIZE      513 /* with its NUL; Altinn 3's are below 450 bytes */
#define DELEGATION_VERSION_SIZE   65
#define DELEGATION_OPERATION_SIZE 128
/* Rows that one statement may change and still be told exactly; the application changes one. */
#define DELEGATION_UPDATES_MAX 4096

enum delegation_row_kind {
    DELEGATION_ROW_ASSIGNMENT,
    DELEGATION_ROW_RESOURCE,
    DELEGATION_ROW_INSTANCE,
    DELEGATION_ROW_PACKAGE,
    DELEGATION_ROW_DELEGATION,
    DELEGATION_ROW_CLIENT_PACKAGE,
    DELEGATION_ROW_KIND_COUNT,
};
enum delegation_row_act {
    DELEGATION_ROW_INSERTED,
    DELEGATION_ROW_DELETED,
    DELEGATION_ROW_CHANGED,
};

/* Where a row stands: what its columns of the unique key say. */
struct delegation_place {
    struct sync_uuid parent;   /* assignment or delegation that it hangs on */
    struct sync_uuid object;   /* resource or package; role of an assignment; facilitator */
    struct sync_uuid from, to; /* assignment: parties. delegation: assignments */
    char instance[DELEGATION_INSTANCE_SIZE];
    bool is_cut; /* the instance is longer than that */
};

/* The policy document with the actions. */
struct delegation_pointer {
    bool present; /* neither is null */
    bool is_cut;  /* one is longer than fits: no document is found by it */
    char path[DELEGATION_PATH_SIZE];
    char version[DELEGATION_VERSION_SIZE];
};

/* Who wrote, and when. */
struct delegation_stamp {
    bool has_by, has_system;
    struct sync_uuid by, system;
    char operation[DELEGATION_OPERATION_SIZE];
    int64_t time_us; /* as the writer says; INT64_MIN and INT64_MAX are infinities */
};

struct delegation_row {
    enum delegation_row_kind kind;
    enum delegation_row_act act;
    struct sync_uuid id;
    struct delegation_place place;      /* deleted: where it stood; changed: where it stands now */
    struct delegation_place before;     /* changed */
    struct delegation_pointer now, old; /* now: inserted, changed; old: changed */
    /* Changed: too many rows of one statement changed, so that "now" is not known. */
    bool now_unknown;
    bool unstamped; /* changed: the writer left the stamp of the version before */
    struct delegation_stamp stamp;
};

/* An update that waits for its history inside one transaction. */
struct delegation_update {
    struct delegation_row row;
    bool keeps_path, keeps_version; /* not sent, because untouched */
};
struct delegation_reader {
    size_t first, count;
    bool overflowed;
    struct delegation_update updates[DELEGATION_UPDATES_MAX];
};

extern const struct row_tables delegation_row_tables;

/* A transaction begins: nothing waits. */
void delegation_reader_begin(void *reader);

/* As capture_entity.read; the row is a struct delegation_row. */
sync_status delegation_reader_read(void *reader, const struct row_plan *plan,
                                   const struct pgoutput_message *message,
                                   enum capture_fate *ret_fate, void *ret_row,
                                   struct sync_error *err);

#endif
