/*
 * One parsed schema and the plan between two. Not here: checking (schema_tree.c), compiling
 * (schema_plan.c), encoding (schema_encode.c), directories (schema_set.c).
 */
#include "schema_builder.h"

#include <stdlib.h>

struct sync_schema {
    struct schema_tree tree;
    struct sync_bytes text; /* malloc'ed copy, NUL behind it */
    char *canonical;
    uint64_t fingerprint;
};

static sync_status fill(struct sync_schema *schema, struct sync_bytes text, struct sync_error *err)
{
    sync_status status = schema_tree_parse(text, &schema->tree, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    if (schema->tree.root->kind != SCHEMA_RECORD) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_SCHEMA_INVALID,
                         "check schema: a schema of ours is a record");
    }
    uint8_t *copy = malloc(text.size + 1);
    schema->text = (struct sync_bytes){copy, text.size};
    schema->canonical = schema_canonical(&schema->tree);
    if (copy == NULL || schema->canonical == NULL) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_MEMORY_LIMIT,
                         "check schema: memory is short");
    }
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    schema->fingerprint = schema_fingerprint(sync_bytes_text(schema->canonical));
    return SYNC_OK;
}

sync_status sync_schema_new(struct sync_bytes text, struct sync_schema **ret_schema,
                            struct sync_error *err)
{
    struct sync_schema *schema = calloc(1, sizeof *schema);
    if (schema == NULL) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_MEMORY_LIMIT,
                         "check schema: memory is short");
    }
    sync_status status = fill(schema, text, err);
    if (!sync_is_ok(status)) {
        sync_schema_free(&schema);
        return status;
    }
    *ret_schema = schema;
    return SYNC_OK;
}

void sync_schema_free(struct sync_schema **schema)
{
    if (schema == NULL || *schema == NULL) {
        return;
    }
    schema_tree_done(&(*schema)->tree);
    free((uint8_t *)(uintptr_t)(*schema)->text.data);
    free((*schema)->canonical);
    free(*schema);
    *schema = NULL;
}

const char *sync_schema_name(const struct sync_schema *schema)
{
    return schema->tree.root->name;
}

struct sync_bytes sync_schema_text(const struct sync_schema *schema)
{
    return schema->text;
}

uint64_t sync_schema_fingerprint(const struct sync_schema *schema)
{
    return schema->fingerprint;
}

const struct schema_tree *schema_tree_of(const struct sync_schema *schema)
{
    return &schema->tree;
}

const char *schema_canonical_of(const struct sync_schema *schema)
{
    return schema->canonical;
}

sync_status sync_plan_new(const struct sync_schema *writer, const struct sync_schema *reader,
                          const struct sync_field *fields, size_t field_count, size_t change_size,
                          struct sync_plan **ret_plan, struct sync_error *err)
{
    struct schema_rows rows = {fields, field_count};
    return schema_plan_compile(&writer->tree, &reader->tree, rows, change_size, ret_plan, err);
}
