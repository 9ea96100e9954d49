/* Secrets come from files only. */
#ifndef SYNC_RUNTIME_SECRET_H
#define SYNC_RUNTIME_SECRET_H
#include <altinn_sync/status.h>
#include <stdbool.h>

#define SYNC_SECRET_MAX 4096

/*
 * Reads a secret: the file's text without the line end at its end. setting names it in errors.
 * Owns:   the caller wipes ret_text with explicit_bzero when it is done.
 * Blocks: no, but for the file system.
 * Fails:  FATAL file (cannot be read, empty, several lines, larger than size - 1); FATAL insecure
 * when the owner is neither root nor this user, others may read it, or the group or others may
 * write it.
 */
sync_status sync_secret_read(const char *setting, const char *path, char *ret_text, size_t size,
                             struct sync_error *err);
/* The same of a file that is open. */
sync_status sync_secret_check_open(const char *setting, const char *path, int fd,
                                   struct sync_error *err);
/* Checks owner and mode without reading. */
sync_status sync_secret_check(const char *setting, const char *path, struct sync_error *err);
#endif
