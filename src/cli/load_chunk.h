/* One chunk of "load": what its transaction needs and what became of its lines. */
#ifndef SYNC_CLI_LOAD_CHUNK_H
#define SYNC_CLI_LOAD_CHUNK_H
#include "../runtime/apply.h"
#include "../runtime/loader.h"

struct load_run {
    struct sync_applier applier; /* of the route whose held records are released */
    const struct sync_loader *loader;
    struct sync_arena arena; /* of one transaction */
    int64_t released;        /* records that waited for what was loaded */
};

/*
 * Writes lines and decides what was held for them, in one transaction, or in several smaller ones
 * where the database refuses a value: the line at fault is marked refused, no other is lost. Waits
 * out what passes. Blocks: as long as progress is made, else at most a minute. Fails: RETRY when
 * the database cannot be used for a minute; FATAL. What was committed stays.
 */
sync_status load_chunk_write(struct load_run *run, struct sync_load_line *lines, size_t count,
                             struct sync_error *err);
#endif
