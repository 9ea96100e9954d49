/*
 * Reads a client.properties: the file in which tools of Kafka keep the properties of a client. Not
 * here: what a property means (kafka.h), whether it is a secret (config.c).
 */
#ifndef SYNC_RUNTIME_CLIENT_FILE_H
#define SYNC_RUNTIME_CLIENT_FILE_H
#include <altinn_sync/status.h>

/* One property. Everything is valid during the call only. */
struct sync_client_property {
    const char *name, *value; /* well-formed text without escapes; the value may be "" */
    const char *path;         /* of the file */
    int line;                 /* from 1, where its name stands */
    int fd;                   /* of the open file, to judge its owner and mode */
};

/* Takes a property over. What fails ends the reading. */
typedef sync_status sync_client_property_take(void *context,
                                              const struct sync_client_property *property,
                                              struct sync_error *err);

/*
 * Reads the file and hands over its properties, in order. Takes what Java's Properties take: = or :
 * or blanks between name and value, comments with # and !, a line that goes on behind a backslash,
 * escapes. The memory is wiped, because a value may be a secret.
 * Blocks: no, but for the file system.
 * Fails: FATAL file (cannot be read, too large), syntax (with file:line: not UTF-8, a name that
 * stands twice or is empty, an escape that stands for nothing), and what take fails with.
 */
sync_status sync_client_file_read(const char *path, sync_client_property_take *take, void *context,
                                  struct sync_error *err);
#endif
