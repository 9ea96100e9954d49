/*
 * YAML over libfyaml, whose header no other file includes: a bounded tree with line and column of
 * every node. Not here: what the keys mean (config.c, topics.c).
 */
#ifndef SYNC_RUNTIME_YAML_H
#define SYNC_RUNTIME_YAML_H
#include <altinn_sync/status.h>
#include <stdbool.h>
#include <stddef.h>

struct sync_yaml; /* a document */
struct sync_yaml_node;
enum sync_yaml_type { SYNC_YAML_SCALAR, SYNC_YAML_MAP, SYNC_YAML_LIST, SYNC_YAML_NULL };

/*
 * Reads one file as one document.
 * Owns:   the caller frees ret_yaml; nodes and texts live with the document.
 * Blocks: no, but for the file system.
 * Fails:  FATAL file (cannot be read, too large); FATAL syntax (malformed, duplicate key, more than
 * one document, anchor, alias, tag, deeper or larger than limits.h). The text names
 * file:line:column.
 */
sync_status sync_yaml_load(const char *path, struct sync_yaml **ret_yaml, struct sync_error *err);

/* The same from memory; name stands for the file in texts. The text is copied. */
sync_status sync_yaml_parse(const char *name, const char *text, size_t size,
                            struct sync_yaml **ret_yaml, struct sync_error *err);
/* With all its nodes; NULL is fine. */
void sync_yaml_free(struct sync_yaml **yaml);

/* Never NULL; an empty document is a node of type NULL. */
const struct sync_yaml_node *sync_yaml_root(const struct sync_yaml *yaml);
/* As given to load or parse. */
const char *sync_yaml_name(const struct sync_yaml *yaml);
/* Source line (from 1) without its end of line, cut at size - 1 bytes; "" when there is no such
 * line. */
void sync_yaml_excerpt(const struct sync_yaml *yaml, int line, char *ret_text, size_t size);

/* Never fails. */
enum sync_yaml_type sync_yaml_type_of(const struct sync_yaml_node *node);
/* Text of a scalar, "" of anything else; holds no NUL and no control character but tab and line
 * feed. */
const char *sync_yaml_text(const struct sync_yaml_node *node);
/* Written in quotes or as a block: never a null. */
bool sync_yaml_is_quoted(const struct sync_yaml_node *node);
/* Members of a map or list; 0 of anything else. */
size_t sync_yaml_count(const struct sync_yaml_node *node);
/* Value of a map or item of a list; ret_key may be NULL and is "" for lists. */
const struct sync_yaml_node *sync_yaml_at(const struct sync_yaml_node *node, size_t index,
                                          const char **ret_key);
/* NULL when node is NULL, no map, or lacks the key. */
const struct sync_yaml_node *sync_yaml_get(const struct sync_yaml_node *map, const char *key);
/* Place of a node, both from 1. */
void sync_yaml_where(const struct sync_yaml_node *node, int *ret_line, int *ret_column);
/* Place of the key of a map's member, both from 1. */
void sync_yaml_where_key(const struct sync_yaml_node *map, size_t index, int *ret_line,
                         int *ret_column);
#endif
