/*
 * Parses Avro schemas into checked trees. What is not on the list of what a schema may hold is
 * refused, because avro-c and careless readers run past their bounds on it (fixed sizes, recursion,
 * nesting). Recursive types are refused too: no record of ours has one, and without cycles every
 * walk ends. Not here: defaults (schema_default.c).
 */
#include "schema_tree.h"

#include "../core/limits.h"

#include <stdlib.h>

struct schema_block {
    struct schema_block *next;
    max_align_t data[];
};

/* Named types that are finished or open. */
struct named {
    struct named *next;
    const char *name;
    const struct schema_type *type; /* NULL while it is open: a reference now would be a cycle */
};

struct parser {
    struct schema_tree *tree;
    struct named *named;
    struct sync_error *err;
};

/* Where we are in the text: enclosing namespace, nesting, and the path for errors. */
struct place {
    const char *space;
    const char *path;
    size_t depth;
};

static sync_status parse_type(struct parser *p, const struct sync_json *json, struct place place,
                              const struct schema_type **ret_type);

static sync_status invalid(struct parser *p, struct place place, const char *what)
{
    return sync_fail_field(p->err, SYNC_CLASS_FATAL, SYNC_CODE_SCHEMA_INVALID, place.path,
                           "check schema at %s: %s",
                           place.path[0] != '\0' ? place.path : "its root", what);
}

static sync_status no_memory(struct parser *p)
{
    return sync_fail(p->err, SYNC_CLASS_FATAL, SYNC_CODE_MEMORY_LIMIT,
                     "check schema: memory is short");
}

void *schema_tree_take(struct schema_tree *tree, size_t size)
{
    struct schema_block *block = calloc(1, sizeof *block + size);
    if (block == NULL) {
        return NULL;
    }
    block->next = tree->blocks;
    tree->blocks = block;
    return block->data;
}

static bool text_of(const struct sync_json *json, const char *name, const char **ret_text)
{
    const struct sync_json *value = sync_json_get(json, name);
    if (sync_json_type_of(value) != SYNC_JSON_TEXT) {
        return false;
    }
    *ret_text = (const char *)sync_json_text(value).data;
    return true;
}

/* Full name of a name in a namespace; NULL with ret_long when it is too long, else memory is short.
 */
static const char *full_name(struct parser *p, const char *name, const char *space, bool *ret_long)
{
    *ret_long = false;
    if (strchr(name, '.') != NULL || space[0] == '\0') {
        return name;
    }
    size_t size = strlen(space) + strlen(name) + 2;
    *ret_long = size > SYNC_SCHEMA_NAME_BYTES_MAX + 1;
    char *full = *ret_long ? NULL : schema_tree_take(p->tree, size);
    if (full != NULL) {
        (void)schema_path_join(space, name, full, size);
    }
    return full;
}

static const char *space_of(struct parser *p, const char *full)
{
    const char *dot = strrchr(full, '.');
    if (dot == NULL) {
        return "";
    }
    size_t size = (size_t)(dot - full);
    char *space = schema_tree_take(p->tree, size + 1);
    if (space != NULL) {
        memcpy(space, full, size);
    }
    return space;
}

/* A list of distinct names: symbols (no namespace given) or aliases, which are made full names. */
static sync_status parse_names(struct parser *p, const struct sync_json *list, const char *space,
                               struct place place, struct schema_names *ret_names)
{
    size_t count = sync_json_count(list);
    if (sync_json_type_of(list) != SYNC_JSON_ARRAY || count > SYNC_SCHEMA_MEMBERS_MAX) {
        return invalid(p, place, "symbols and aliases are lists of at most 1024 names");
    }
    struct schema_names names = {schema_tree_take(p->tree, count * sizeof(char *)), 0};
    if (names.items == NULL) {
        return no_memory(p);
    }
    for (size_t i = 0; i < count; i++) {
        const struct sync_json *item = sync_json_at(list, i);
        const char *name = (const char *)sync_json_text(item).data;
        if (!schema_name_is_good(name, space != NULL)) {
            return invalid(p, place, "a symbol or alias is not a name");
        }
        bool is_long = false;
        name = space != NULL ? full_name(p, name, space, &is_long) : name;
        if (name == NULL) {
            return is_long ? invalid(p, place, "an alias is too long") : no_memory(p);
        }
        if (schema_names_contain(&names, name)) {
            return invalid(p, place, "a symbol or alias stands twice");
        }
        names.items[names.count++] = name;
    }
    *ret_names = names;
    return SYNC_OK;
}

static sync_status parse_aliases(struct parser *p, const struct sync_json *json, const char *space,
                                 struct place place, struct schema_names *ret_names)
{
    const struct sync_json *list = sync_json_get(json, "aliases");
    return list == NULL ? SYNC_OK : parse_names(p, list, space, place, ret_names);
}

static struct schema_type *new_type(struct parser *p, enum schema_kind kind)
{
    struct schema_type *type = schema_tree_take(p->tree, sizeof *type);
    if (type != NULL) {
        static const uint8_t least[] = {0, 1, 1, 1, 4, 8, 1, 1, 0, 1, 0, 1, 1, 1};
        type->kind = kind;
        type->id = (uint32_t)p->tree->type_count++;
        type->depth = 1;
        type->least = least[kind];
    }
    return type;
}

/* Takes a part into the type's depth. */
static sync_status deepen(struct parser *p, struct schema_type *type,
                          const struct schema_type *part, struct place place)
{
    type->depth = part->depth + 1 > type->depth ? part->depth + 1 : type->depth;
    if (type->depth > SYNC_SCHEMA_DEPTH_MAX) {
        return invalid(p, place, "nested deeper than 32 levels");
    }
    return SYNC_OK;
}

static uint32_t least_sum(uint32_t a, uint32_t b)
{
    return a + b < UINT32_MAX / 2 ? a + b : UINT32_MAX / 2;
}

static bool field_name_is_taken(const struct schema_type *record, const char *name)
{
    for (size_t i = 0; i < record->field_count; i++) {
        if (strcmp(record->fields[i].name, name) == 0 ||
            schema_names_contain(&record->fields[i].aliases, name)) {
            return true;
        }
    }
    return false;
}

/* A field's name and aliases are one set over the record: two fields cannot claim one writer's
 * field. */
static sync_status check_field_names(struct parser *p, const struct schema_type *record,
                                     const struct schema_field *field, struct place place)
{
    bool taken = field_name_is_taken(record, field->name);
    for (size_t i = 0; i < field->aliases.count; i++) {
        if (!schema_name_is_good(field->aliases.items[i], false)) {
            return invalid(p, place, "an alias of a field holds a dot");
        }
        taken = taken || field_name_is_taken(record, field->aliases.items[i]);
        taken = taken || strcmp(field->aliases.items[i], field->name) == 0;
    }
    return taken ? invalid(p, place, "a name or alias of a field stands twice") : SYNC_OK;
}

static sync_status parse_field(struct parser *p, const struct sync_json *json, struct place place,
                               struct schema_type *record)
{
    struct schema_field field = {0};
    if (!text_of(json, "name", &field.name) || !schema_name_is_good(field.name, false)) {
        return invalid(p, place, "a field has no good name");
    }
    char path[SYNC_FIELD_PATH_BYTES_MAX];
    if (!schema_path_join(place.path, field.name, path, sizeof path)) {
        return invalid(p, place, "the path of a field is longer than 255 bytes");
    }
    struct place here = {place.space, path, place.depth};
    sync_status status = parse_aliases(p, json, "", here, &field.aliases);
    if (sync_is_ok(status)) {
        status = check_field_names(p, record, &field, here);
    }
    if (sync_is_ok(status)) {
        status = parse_type(p, sync_json_get(json, "type"), here, &field.type);
    }
    if (sync_is_ok(status)) {
        status = deepen(p, record, field.type, here);
    }
    if (!sync_is_ok(status)) {
        return status;
    }
    field.fallback = sync_json_get(json, "default");
    if (field.fallback != NULL && !schema_default_is_valid(field.type, field.fallback)) {
        return invalid(p, here, "the default is not a value of the field's (first) type");
    }
    record->least = least_sum(record->least, field.type->least);
    record->fields[record->field_count++] = field;
    return SYNC_OK;
}

static sync_status parse_record(struct parser *p, const struct sync_json *json, struct place place,
                                struct schema_type *type)
{
    const struct sync_json *list = sync_json_get(json, "fields");
    size_t count = sync_json_count(list);
    if (sync_json_type_of(list) != SYNC_JSON_ARRAY || count > SYNC_SCHEMA_MEMBERS_MAX) {
        return invalid(p, place, "a record has a list of at most 1024 fields");
    }
    type->fields = schema_tree_take(p->tree, count * sizeof *type->fields);
    if (type->fields == NULL) {
        return no_memory(p);
    }
    sync_status status = SYNC_OK;
    for (size_t i = 0; i < count && sync_is_ok(status); i++) {
        status = parse_field(p, sync_json_at(list, i), place, type);
    }
    return status;
}

static sync_status parse_enum(struct parser *p, const struct sync_json *json, struct place place,
                              struct schema_type *type)
{
    sync_status status =
        parse_names(p, sync_json_get(json, "symbols"), NULL, place, &type->symbols);
    if (!sync_is_ok(status)) {
        return status;
    }
    if (type->symbols.count == 0) {
        return invalid(p, place, "an enum has no symbol");
    }
    const struct sync_json *fallback = sync_json_get(json, "default");
    if (fallback != NULL && !schema_default_is_valid(type, fallback)) {
        return invalid(p, place, "the default of an enum is not one of its symbols");
    }
    return SYNC_OK;
}

static sync_status parse_fixed(struct parser *p, const struct sync_json *json, struct place place,
                               struct schema_type *type)
{
    const struct sync_json *size = sync_json_get(json, "size");
    int64_t bytes = sync_json_integer(size);
    if (sync_json_type_of(size) != SYNC_JSON_INTEGER || bytes < 1 ||
        bytes > SYNC_RECORD_BYTES_MAX) {
        return invalid(p, place, "the size of a fixed is not between 1 and 1048576");
    }
    type->fixed_bytes = (uint32_t)bytes;
    type->least = type->fixed_bytes;
    return SYNC_OK;
}

static struct named *find_named(struct parser *p, const char *name)
{
    struct named *named = p->named;
    while (named != NULL && strcmp(named->name, name) != 0) {
        named = named->next;
    }
    return named;
}

/* Full name from "name" and "namespace", which must be new and must not hide a primitive type. */
static sync_status name_type(struct parser *p, const struct sync_json *json, struct place place,
                             const char **ret_name)
{
    const char *name = NULL;
    const char *space = place.space;
    enum schema_kind kind;
    if (!text_of(json, "name", &name) || !schema_name_is_good(name, true)) {
        return invalid(p, place, "a record, enum or fixed has no good name");
    }
    bool has_space = sync_json_get(json, "namespace") != NULL;
    if (has_space && (!text_of(json, "namespace", &space) ||
                      (space[0] != '\0' && !schema_name_is_good(space, true)))) {
        return invalid(p, place, "a namespace is not a dotted name");
    }
    bool is_long = false;
    const char *full = full_name(p, name, space, &is_long);
    if (full == NULL) {
        return is_long ? invalid(p, place, "a full name is too long") : no_memory(p);
    }
    if (schema_word_is_primitive(full, &kind)) {
        return invalid(p, place, "a type has the name of a primitive type");
    }
    if (find_named(p, full) != NULL) {
        return invalid(p, place, "a type is defined twice");
    }
    *ret_name = full;
    return SYNC_OK;
}

static sync_status parse_named(struct parser *p, const struct sync_json *json, struct place place,
                               enum schema_kind kind, const struct schema_type **ret_type)
{
    const char *name = NULL;
    sync_status status = name_type(p, json, place, &name);
    if (!sync_is_ok(status)) {
        return status;
    }
    struct schema_type *type = new_type(p, kind);
    struct named *named = schema_tree_take(p->tree, sizeof *named);
    const char *space = space_of(p, name);
    if (type == NULL || named == NULL || space == NULL) {
        return no_memory(p);
    }
    *named = (struct named){p->named, name, NULL};
    p->named = named;
    type->name = name;
    struct place inside = {space, place.path, place.depth};
    status = parse_aliases(p, json, space, place, &type->aliases);
    if (!sync_is_ok(status)) {
        return status;
    }
    status = kind == SCHEMA_RECORD ? parse_record(p, json, inside, type)
             : kind == SCHEMA_ENUM ? parse_enum(p, json, inside, type)
                                   : parse_fixed(p, json, inside, type);
    named->type = type;
    *ret_type = type;
    return status;
}

static sync_status parse_items(struct parser *p, const struct sync_json *json, struct place place,
                               enum schema_kind kind, const struct schema_type **ret_type)
{
    struct schema_type *type = new_type(p, kind);
    const struct schema_type **items = schema_tree_take(p->tree, sizeof *items);
    if (type == NULL || items == NULL) {
        return no_memory(p);
    }
    const char *member = kind == SCHEMA_ARRAY ? "items" : "values";
    sync_status status = parse_type(p, sync_json_get(json, member), place, &items[0]);
    if (!sync_is_ok(status)) {
        return status;
    }
    type->branches = items;
    type->branch_count = 1;
    *ret_type = type;
    return deepen(p, type, items[0], place);
}

static bool branch_is_taken(const struct schema_type *all, const struct schema_type *branch)
{
    for (size_t i = 0; i < all->branch_count; i++) {
        const struct schema_type *other = all->branches[i];
        if (other == branch || (other->kind == branch->kind && branch->name == NULL)) {
            return true;
        }
    }
    return false;
}

static sync_status parse_union(struct parser *p, const struct sync_json *json, struct place place,
                               const struct schema_type **ret_type)
{
    size_t count = sync_json_count(json);
    if (count == 0 || count > SYNC_SCHEMA_MEMBERS_MAX) {
        return invalid(p, place, "a union has between 1 and 1024 branches");
    }
    struct schema_type *type = new_type(p, SCHEMA_UNION);
    const struct schema_type **branches = schema_tree_take(p->tree, count * sizeof *branches);
    if (type == NULL || branches == NULL) {
        return no_memory(p);
    }
    type->branches = branches;
    uint32_t least = UINT32_MAX / 2;
    for (size_t i = 0; i < count; i++) {
        const struct schema_type *branch = NULL;
        sync_status status = parse_type(p, sync_json_at(json, i), place, &branch);
        if (sync_is_ok(status)) {
            status = deepen(p, type, branch, place);
        }
        if (!sync_is_ok(status)) {
            return status;
        }
        if (branch->kind == SCHEMA_UNION || branch_is_taken(type, branch)) {
            return invalid(p, place, "a union holds a union, or a type twice");
        }
        least = branch->least < least ? branch->least : least;
        branches[type->branch_count++] = branch;
    }
    type->least = least_sum(1, least);
    *ret_type = type;
    return SYNC_OK;
}

static sync_status parse_reference(struct parser *p, const char *word, struct place place,
                                   const struct schema_type **ret_type)
{
    enum schema_kind kind;
    if (schema_word_is_primitive(word, &kind)) {
        const struct schema_type *type = new_type(p, kind);
        *ret_type = type;
        return type == NULL ? no_memory(p) : SYNC_OK;
    }
    if (!schema_name_is_good(word, true)) {
        return invalid(p, place, "a type is neither primitive nor a name");
    }
    bool is_long = false;
    const char *full = full_name(p, word, place.space, &is_long);
    if (full == NULL && !is_long) {
        return no_memory(p);
    }
    const struct named *named = full != NULL ? find_named(p, full) : NULL;
    if (named == NULL) {
        return invalid(p, place, "a type is used before it is defined");
    }
    if (named->type == NULL) {
        return invalid(p, place, "a type contains itself");
    }
    *ret_type = named->type;
    return SYNC_OK;
}

static sync_status parse_object(struct parser *p, const struct sync_json *json, struct place place,
                                const struct schema_type **ret_type)
{
    const char *word = NULL;
    enum schema_kind kind;
    if (!text_of(json, "type", &word)) {
        return invalid(p, place, "the type of a type is not a word");
    }
    if (schema_word_is_primitive(word, &kind)) {
        return parse_reference(p, word, place, ret_type);
    }
    for (size_t i = SCHEMA_FIXED; i <= SCHEMA_RECORD; i++) {
        if (strcmp(word, schema_kind_word((enum schema_kind)i)) == 0) {
            return parse_named(p, json, place, (enum schema_kind)i, ret_type);
        }
    }
    for (size_t i = SCHEMA_ARRAY; i <= SCHEMA_MAP; i++) {
        if (strcmp(word, schema_kind_word((enum schema_kind)i)) == 0) {
            return parse_items(p, json, place, (enum schema_kind)i, ret_type);
        }
    }
    return invalid(p, place, "the type of a type is not a word of Avro");
}

static sync_status parse_type(struct parser *p, const struct sync_json *json, struct place place,
                              const struct schema_type **ret_type)
{
    if (place.depth == SYNC_SCHEMA_DEPTH_MAX) {
        return invalid(p, place, "nested deeper than 32 levels");
    }
    place.depth++;
    switch (sync_json_type_of(json)) {
    case SYNC_JSON_TEXT:
        return parse_reference(p, (const char *)sync_json_text(json).data, place, ret_type);
    case SYNC_JSON_OBJECT:
        return parse_object(p, json, place, ret_type);
    case SYNC_JSON_ARRAY:
        return parse_union(p, json, place, ret_type);
    case SYNC_JSON_NULL:
    case SYNC_JSON_BOOL:
    case SYNC_JSON_INTEGER:
    case SYNC_JSON_REAL:
        break;
    }
    return invalid(p, place, "a type is missing or is neither a word, an object nor a list");
}

sync_status schema_tree_parse(struct sync_bytes text, struct schema_tree *ret_tree,
                              struct sync_error *err)
{
    *ret_tree = (struct schema_tree){0};
    if (text.size > SYNC_SCHEMA_BYTES_MAX) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_SCHEMA_INVALID,
                         "check schema of %zu bytes: at most %d are taken", text.size,
                         SYNC_SCHEMA_BYTES_MAX);
    }
    struct sync_error inner = {0};
    if (!sync_is_ok(sync_json_parse(text, &ret_tree->json, &inner))) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_SCHEMA_INVALID, "check schema: %s",
                         inner.text);
    }
    struct parser parser = {ret_tree, NULL, err};
    struct place place = {"", "", 0};
    return parse_type(&parser, ret_tree->json, place, &ret_tree->root);
}

void schema_tree_done(struct schema_tree *tree)
{
    while (tree->blocks != NULL) {
        struct schema_block *next = tree->blocks->next;
        free(tree->blocks);
        tree->blocks = next;
    }
    sync_json_free(&tree->json);
    *tree = (struct schema_tree){0};
}
