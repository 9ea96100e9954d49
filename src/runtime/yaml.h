/* YAML over libfyaml, whose header no other file includes: a tree with line and column of every node. */
#ifndef SYNC_RUNTIME_YAML_H
#define SYNC_RUNTIME_YAML_H
#include <altinn_sync/status.h>
#include <stdbool.h>
#include <stddef.h>

struct sync_yaml; /* a document */
struct sync_yaml_node;
enum sync_yaml_type { SYNC_YAML_SCALAR, SYNC_YAML_MAP, SYNC_YAML_LIST, SYNC_YAML_NULL };

/* Bounded, no anchors to elsewhere, duplicate keys refused. Fails: FATAL file, syntax with file:line:column. */
sync_status sync_yaml_load(const char *path, struct sync_yaml **ret_yaml, struct sync_error *err);
sync_status sync_yaml_parse(const char *name, const char *text, size_t size, struct sync_yaml **ret_yaml, struct sync_error *err);
void sync_yaml_free(struct sync_yaml **yaml);
const struct sync_yaml_node *sync_yaml_root(const struct sync_yaml *yaml);
enum sync_yaml_type sync_yaml_type_of(const struct sync_yaml_node *node);
const char *sync_yaml_text(const struct sync_yaml_node *node); /* scalar; "" otherwise; lives with the document */
bool sync_yaml_is_quoted(const struct sync_yaml_node *node);
size_t sync_yaml_count(const struct sync_yaml_node *node);
const struct sync_yaml_node *sync_yaml_at(const struct sync_yaml_node *node, size_t index, const char **ret_key); /* map value or list item; ret_key may be NULL */
const struct sync_yaml_node *sync_yaml_get(const struct sync_yaml_node *map, const char *key);
void sync_yaml_where(const struct sync_yaml_node *node, int *ret_line, int *ret_column); /* from 1 */
void sync_yaml_where_key(const struct sync_yaml_node *map, size_t index, int *ret_line, int *ret_column);
const char *sync_yaml_name(const struct sync_yaml *yaml);
#endif
