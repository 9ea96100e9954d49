/*
 * A checked Avro schema as a tree, for the files schema*.c only. Named types are shared, so it is a
 * graph; it has no cycle, because recursive types are refused. Not here: what is done with it.
 */
#ifndef SYNC_RUNTIME_SCHEMA_TREE_H
#define SYNC_RUNTIME_SCHEMA_TREE_H

#include "json.h"
#include "schema.h"

/* The first eight are the primitive types, in the order of schema_type_word. */
enum schema_kind {
    SCHEMA_NULL,
    SCHEMA_BOOLEAN,
    SCHEMA_INT,
    SCHEMA_LONG,
    SCHEMA_FLOAT,
    SCHEMA_DOUBLE,
    SCHEMA_BYTES,
    SCHEMA_STRING,
    SCHEMA_FIXED,
    SCHEMA_ENUM,
    SCHEMA_RECORD,
    SCHEMA_ARRAY,
    SCHEMA_MAP,
    SCHEMA_UNION,
};

struct schema_names {
    const char **items;
    size_t count;
};

struct schema_field {
    const char *name;
    struct schema_names aliases;
    const struct schema_type *type;
    const struct sync_json *fallback; /* the default, NULL = none; checked against the type */
};

struct schema_type {
    enum schema_kind kind;
    uint32_t id;                 /* 0 … type_count - 1, unique in the tree */
    uint32_t depth;              /* levels below and with this one */
    uint32_t least;              /* fewest bytes of a value, capped at UINT32_MAX / 2 */
    const char *name;            /* full name of a named type, else NULL */
    struct schema_names aliases; /* full names */
    struct schema_names symbols;
    struct schema_field *fields;
    size_t field_count;
    const struct schema_type **branches; /* union: branches; array and map: the one item */
    size_t branch_count;
    uint32_t fixed_bytes;
};

struct schema_block; /* memory of the tree */
struct schema_tree {
    const struct schema_type *root;
    size_t type_count;
    struct sync_json *json; /* holds the names and defaults */
    struct schema_block *blocks;
};

/*
 * Parses and checks a schema: size, depth, names, duplicates, recursion, fixed sizes, defaults.
 * Owns: the caller calls schema_tree_done, also after a failure.
 * Blocks: no.
 * Fails: FATAL schema_invalid, naming the type or field.
 */
sync_status schema_tree_parse(struct sync_bytes text, struct schema_tree *ret_tree,
                              struct sync_error *err);
void schema_tree_done(struct schema_tree *tree);

/* The tree of a schema, and its canonical form (NUL-ended); both live as long as it. */
const struct schema_tree *schema_tree_of(const struct sync_schema *schema);
const char *schema_canonical_of(const struct sync_schema *schema);

/* Zeroed memory that lives as long as the tree; NULL when memory is short. */
void *schema_tree_take(struct schema_tree *tree, size_t size);

/* The word of a kind as it stands in schemas. */
const char *schema_kind_word(enum schema_kind kind);
bool schema_word_is_primitive(const char *word, enum schema_kind *ret_kind);

/* [A-Za-z_][A-Za-z0-9_]*, at most 255 bytes, with dots between such names where they are allowed.
 */
bool schema_name_is_good(const char *name, bool dots);
bool schema_names_contain(const struct schema_names *names, const char *name);

/* The part behind the last dot. */
const char *schema_short_name(const char *name);

/* Whether a default has the form of the type; that of a union is of its first branch. */
bool schema_default_is_valid(const struct schema_type *type, const struct sync_json *value);

/*
 * Parsing canonical form, as malloc'ed text of the caller; NULL when memory is short.
 */
char *schema_canonical(const struct schema_tree *tree);
/* CRC-64-AVRO of bytes. */
uint64_t schema_fingerprint(struct sync_bytes bytes);

/* Joins a path and a name with a dot into ret_path; false when it is too long. */
bool schema_path_join(const char *path, const char *name, char *ret_path, size_t capacity);

#endif
