/*
 * All schemas of a directory: the newest by name, all by fingerprint. Schemas come with the
 * program; no writer can add one while it runs. Not here: a registry.
 */
#include "schema_tree.h"

#include "../core/limits.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

struct entry {
    struct sync_schema *schema;
    bool is_old; /* lies below history/ */
};

struct sync_schema_set {
    struct entry entries[SYNC_SCHEMA_FILES_MAX];
    size_t count;
};

static void close_file(FILE **file)
{
    if (*file != NULL) {
        (void)fclose(*file); /* only read from */
    }
}

static void close_dir(DIR **dir)
{
    if (*dir != NULL) {
        (void)closedir(*dir);
    }
}

static void free_schema(struct sync_schema **schema)
{
    sync_schema_free(schema);
}

static sync_status cannot(const char *what, const char *path, struct sync_error *err)
{
    return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_FILE, "%s %s: %s", what, path,
                     strerror(errno));
}

/* A schema may stand twice (the newest is copied into history/), but a fingerprint has one meaning
 * and a name has one newest schema. */
static sync_status check_unique(const struct sync_schema_set *set, const struct sync_schema *schema,
                                bool is_old, const char *path, struct sync_error *err)
{
    const struct sync_schema *other =
        sync_schema_set_find_fingerprint(set, sync_schema_fingerprint(schema));
    if (other != NULL && strcmp(schema_canonical_of(other), schema_canonical_of(schema)) != 0) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_SCHEMA_INVALID,
                         "read schema %s: a different schema has the same fingerprint", path);
    }
    if (!is_old && sync_schema_set_find(set, sync_schema_name(schema)) != NULL) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_SCHEMA_INVALID,
                         "read schema %s: %s stands in another file too; move the older one below "
                         "history/",
                         path, sync_schema_name(schema));
    }
    return SYNC_OK;
}

static sync_status add_text(struct sync_schema_set *set, struct sync_bytes text, const char *path,
                            bool is_old, struct sync_error *err)
{
    __attribute__((cleanup(free_schema))) struct sync_schema *schema = NULL;
    struct sync_error inner = {0};
    sync_status status = sync_schema_new(text, &schema, &inner);
    if (!sync_is_ok(status)) {
        return sync_fail_field(err, status.class, inner.code, inner.field, "read schema %s: %s",
                               path, inner.text);
    }
    status = check_unique(set, schema, is_old, path, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    set->entries[set->count++] = (struct entry){schema, is_old};
    schema = NULL;
    return SYNC_OK;
}

static sync_status add_file(struct sync_schema_set *set, const char *path, bool is_old,
                            struct sync_error *err)
{
    if (set->count == SYNC_SCHEMA_FILES_MAX) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_FILE,
                         "read schema %s: more than %d schemas", path, SYNC_SCHEMA_FILES_MAX);
    }
    __attribute__((cleanup(close_file))) FILE *file = fopen(path, "rbe");
    if (file == NULL) {
        return cannot("open schema", path, err);
    }
    /* One byte more than allowed, so that the check of the size sees it. */
    static const size_t capacity = SYNC_SCHEMA_BYTES_MAX + 1;
    uint8_t *text = malloc(capacity);
    if (text == NULL) {
        return cannot("read schema", path, err);
    }
    size_t size = fread(text, 1, capacity, file);
    sync_status status = ferror(file) != 0
                             ? cannot("read schema", path, err)
                             : add_text(set, (struct sync_bytes){text, size}, path, is_old, err);
    free(text);
    return status;
}

static bool is_schema_file(const char *name)
{
    size_t size = strlen(name);
    return size > 5 && strcmp(name + size - 5, ".avsc") == 0;
}

static sync_status add_dir(struct sync_schema_set *set, const char *path, unsigned depth,
                           bool is_old, struct sync_error *err);

static sync_status add_entry(struct sync_schema_set *set, const char *path, unsigned depth,
                             bool is_old, struct sync_error *err)
{
    struct stat info;
    const char *name = strrchr(path, '/') + 1;
    if (stat(path, &info) != 0) {
        return cannot("look at", path, err);
    }
    if (S_ISDIR(info.st_mode)) {
        return add_dir(set, path, depth + 1, is_old || strcmp(name, "history") == 0, err);
    }
    return S_ISREG(info.st_mode) && is_schema_file(name) ? add_file(set, path, is_old, err)
                                                         : SYNC_OK;
}

static sync_status add_dir(struct sync_schema_set *set, const char *path, unsigned depth,
                           bool is_old, struct sync_error *err)
{
    if (depth > SYNC_SCHEMA_DIRS_MAX) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_FILE,
                         "read schemas in %s: nested deeper than %d", path, SYNC_SCHEMA_DIRS_MAX);
    }
    __attribute__((cleanup(close_dir))) DIR *dir = opendir(path);
    if (dir == NULL) {
        return cannot("read schemas in", path, err);
    }
    sync_status status = SYNC_OK;
    errno = 0;
    for (struct dirent *item = readdir(dir); item != NULL; item = readdir(dir)) {
        char child[PATH_MAX];
        if (item->d_name[0] == '.') {
            continue;
        }
        int size = snprintf(child, sizeof child, "%s/%s", path, item->d_name);
        if (size < 0 || (size_t)size >= sizeof child) {
            return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_FILE,
                             "read schemas in %s: a path is too long", path);
        }
        status = add_entry(set, child, depth, is_old, err);
        if (!sync_is_ok(status)) {
            return status;
        }
        errno = 0;
    }
    return errno != 0 ? cannot("read schemas in", path, err) : SYNC_OK;
}

sync_status sync_schema_set_new(const char *dir, struct sync_schema_set **ret_set,
                                struct sync_error *err)
{
    struct sync_schema_set *set = calloc(1, sizeof *set);
    if (set == NULL) {
        return cannot("read schemas in", dir, err);
    }
    sync_status status = add_dir(set, dir, 0, false, err);
    if (sync_is_ok(status) && set->count == 0) {
        status = sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_FILE,
                           "read schemas in %s: no .avsc file lies there", dir);
    }
    if (!sync_is_ok(status)) {
        sync_schema_set_free(&set);
        return status;
    }
    *ret_set = set;
    return SYNC_OK;
}

void sync_schema_set_free(struct sync_schema_set **set)
{
    if (set == NULL || *set == NULL) {
        return;
    }
    for (size_t i = 0; i < (*set)->count; i++) {
        sync_schema_free(&(*set)->entries[i].schema);
    }
    free(*set);
    *set = NULL;
}

const struct sync_schema *sync_schema_set_find(const struct sync_schema_set *set, const char *name)
{
    for (size_t i = 0; i < set->count; i++) {
        const struct entry *entry = &set->entries[i];
        if (!entry->is_old && strcmp(sync_schema_name(entry->schema), name) == 0) {
            return entry->schema;
        }
    }
    return NULL;
}

const struct sync_schema *sync_schema_set_find_fingerprint(const struct sync_schema_set *set,
                                                           uint64_t fingerprint)
{
    for (size_t i = 0; i < set->count; i++) {
        if (sync_schema_fingerprint(set->entries[i].schema) == fingerprint) {
            return set->entries[i].schema;
        }
    }
    return NULL;
}
