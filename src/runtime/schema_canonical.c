/*
 * Parsing canonical form of a checked schema and its CRC-64-AVRO fingerprint, after the Avro
 * specification.
 */
#include "schema_tree.h"

#include <stdio.h>
#include <stdlib.h>

static void put_type(struct sync_json_writer *w, const char *name, const struct schema_type *type,
                     bool *written);

static void put_fields(struct sync_json_writer *w, const struct schema_type *type, bool *written)
{
    sync_json_open(w, "fields", '[');
    for (size_t i = 0; i < type->field_count; i++) {
        sync_json_open(w, NULL, '{');
        sync_json_put_text(w, "name", type->fields[i].name);
        put_type(w, "type", type->fields[i].type, written);
        sync_json_close(w, '}');
    }
    sync_json_close(w, ']');
}

static void put_symbols(struct sync_json_writer *w, const struct schema_type *type)
{
    sync_json_open(w, "symbols", '[');
    for (size_t i = 0; i < type->symbols.count; i++) {
        sync_json_put_text(w, NULL, type->symbols.items[i]);
    }
    sync_json_close(w, ']');
}

static void put_object(struct sync_json_writer *w, const char *name, const struct schema_type *type,
                       bool *written)
{
    sync_json_open(w, name, '{');
    if (type->name != NULL) {
        sync_json_put_text(w, "name", type->name);
    }
    sync_json_put_text(w, "type", schema_kind_word(type->kind));
    if (type->kind == SCHEMA_RECORD) {
        put_fields(w, type, written);
    }
    if (type->kind == SCHEMA_ENUM) {
        put_symbols(w, type);
    }
    if (type->kind == SCHEMA_ARRAY || type->kind == SCHEMA_MAP) {
        put_type(w, type->kind == SCHEMA_ARRAY ? "items" : "values", type->branches[0], written);
    }
    if (type->kind == SCHEMA_FIXED) {
        sync_json_put_integer(w, "size", type->fixed_bytes);
    }
    sync_json_close(w, '}');
}

/* A named type is written out where it stands first, then by name; that also bounds the size. */
static void put_type(struct sync_json_writer *w, const char *name, const struct schema_type *type,
                     bool *written)
{
    if (type->kind <= SCHEMA_STRING) {
        sync_json_put_text(w, name, schema_kind_word(type->kind));
        return;
    }
    if (type->kind == SCHEMA_UNION) {
        sync_json_open(w, name, '[');
        for (size_t i = 0; i < type->branch_count; i++) {
            put_type(w, NULL, type->branches[i], written);
        }
        sync_json_close(w, ']');
        return;
    }
    if (type->name != NULL && written[type->id]) {
        sync_json_put_text(w, name, type->name);
        return;
    }
    written[type->id] = true;
    put_object(w, name, type, written);
}

char *schema_canonical(const struct schema_tree *tree)
{
    bool *written = calloc(tree->type_count, sizeof *written);
    if (written == NULL) {
        return NULL;
    }
    struct sync_json_writer w;
    sync_json_writer_init(&w);
    put_type(&w, NULL, tree->root, written);
    free(written);
    return sync_json_writer_take(&w);
}

uint64_t schema_fingerprint(struct sync_bytes bytes)
{
    const uint64_t empty = 0xC15D213AA4D7A795u;
    uint64_t sum = empty;
    for (size_t i = 0; i < bytes.size; i++) {
        uint64_t low = (sum ^ bytes.data[i]) & 0xFF;
        for (int bit = 0; bit < 8; bit++) {
            low = low >> 1 ^ (empty & (0 - (low & 1)));
        }
        sum = sum >> 8 ^ low;
    }
    return sum;
}
