/*
 * The contract between "load" (src/cli/load.c) and an entity's loader
 * (connectors/altinn3/…_loader.c): lines of a file become rows of Altinn 3 inside a transaction
 * that the command opens and ends. Not here: deciding what was held for them (apply.h), which the
 * command does in the same transaction.
 */
#ifndef SYNC_RUNTIME_LOADER_H
#define SYNC_RUNTIME_LOADER_H
#include "../core/arena.h"
#include "postgres.h"
#include <altinn_sync/processor.h>

/* One line of a file. The item is the loader's own form of it, in the arena of the chunk. */
struct sync_load_line {
    size_t number; /* in the file, from 1 */
    void *item;
    struct sync_key entity; /* its rows are there after write: adopt it. Size 0 = none */
    bool known;             /* write found it there already and inserted nothing */
    bool refused;           /* by the parser or by the database: see error */
    struct sync_error error;
};

struct sync_loader {
    const char *name;         /* "correspondence" */
    const char *const *types; /* values of "type" in its lines; NULL-ended */
    const char *route;        /* whose origin it writes under and whose held records it releases */
    /*
     * Checks a line and copies what it says into the arena; the text may go afterwards.
     * Fails: PARK with field and sentence; RETRY memory_limit when the arena is full.
     */
    sync_status (*parse)(struct sync_bytes text, struct sync_arena *arena, void **ret_item,
                         struct sync_error *err);
    /*
     * Inserts the rows of all lines that are not refused; sets entity and known. May be repeated.
     * Fails: class of the statement; PARK when the database refuses a value of one of the lines.
     */
    sync_status (*write)(struct sync_db *db, struct sync_load_line *lines, size_t count,
                         struct sync_arena *arena, struct sync_error *err);
};

/* All loaders of this binary, NULL-ended. */
extern const struct sync_loader *const sync_loaders[];
/* The loader of a name, or of a type of lines; NULL when there is none. */
const struct sync_loader *sync_loader_find(const char *name);
const struct sync_loader *sync_loader_for(struct sync_bytes type);
#endif
