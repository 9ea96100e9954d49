/*
 * The capture's own thread: it reads the role feed and tells the watermark. Not here: calls of
 * Altinn 2.
 */
#ifndef SYNC_ALTINN2_DELEGATION_READER_H
#define SYNC_ALTINN2_DELEGATION_READER_H
#include "delegation_parts.h"

/* Owns: the caller frees ret_reader after its thread has ended.  Fails: FATAL. */
sync_status delegation_reader_new(struct delegation_capture *capture, const struct sync_home *home,
                                  struct delegation_reader **ret_reader, struct sync_error *err);
void delegation_reader_free(struct delegation_reader **reader);

/* The thread: returns soon after the shell is ending. */
void delegation_reader_run(struct delegation_reader *reader);
#endif
