/*
 * The stored switch of "pause" and "resume", one row for each consumer or source that is paused.
 * Not here: writing it (src/cli/pause.c), and what a process stops while it is on.
 */
#ifndef SYNC_RUNTIME_PAUSE_H
#define SYNC_RUNTIME_PAUSE_H
#include "postgres.h"

struct sync_pause {
    bool on;
    char reason[160]; /* as the operator gave it, perhaps cut */
};

/*
 * Reads the switch of one consumer or source.
 * Owns:   ret_pause is a copy.  Blocks: one statement.
 * Fails:  class of the statement.
 */
sync_status sync_pause_read(struct sync_db *db, const char *name, struct sync_pause *ret_pause,
                            struct sync_error *err);
#endif
