/*
 * Reads the data files of delegations. A file is small and ours, so its form is fixed: the columns
 * of the header in that order, quotes only around a whole field, every row complete. Anything else
 * stops the start.
 */
#include "delegation_tables.h"

#include "runtime/time_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define ROWS_MAX    512
#define COLUMNS_MAX 6
#define LINE_MAX    1024

struct csv {
    const char *dir, *name;
    FILE *file;
    size_t row; /* 1 = the first below the header */
    char line[LINE_MAX];
    char *cells[COLUMNS_MAX];
    size_t count;
    struct sync_error *err;
};

static void csv_close(struct csv *csv)
{
    if (csv->file != NULL) {
        (void)fclose(csv->file);
        csv->file = NULL;
    }
}

static sync_status bad(struct csv *csv, const char *what)
{
    return sync_fail(csv->err, SYNC_CLASS_FATAL, SYNC_CODE_CONFIG, "read %s/%s, row %zu: %s",
                     csv->dir, csv->name, csv->row, what);
}

/* Splits the line in place; false when it does not have the form. */
static bool split(struct csv *csv)
{
    char *at = csv->line;
    csv->count = 0;
    for (;;) {
        if (csv->count == COLUMNS_MAX) {
            return false;
        }
        bool quoted = *at == '"';
        char *start = quoted ? at + 1 : at;
        char *end = quoted ? strchr(start, '"') : start + strcspn(start, ",\"");
        if (end == NULL || (!quoted && *end == '"')) {
            return false;
        }
        char *next = quoted ? end + 1 : end;
        char behind = *next;
        *end = '\0';
        csv->cells[csv->count++] = start;
        if (behind == '\0') {
            return true;
        }
        if (behind != ',') {
            return false;
        }
        at = next + 1;
    }
}

/* False at the end, and when the row is wrong; then err is filled. */
static bool next_row(struct csv *csv, size_t columns, sync_status *ret_status)
{
    *ret_status = SYNC_OK;
    if (fgets(csv->line, sizeof csv->line, csv->file) == NULL) {
        if (ferror(csv->file) != 0) {
            *ret_status = bad(csv, "the file cannot be read");
        }
        return false;
    }
    csv->row++;
    size_t size = strlen(csv->line);
    if (size == 0 || csv->line[size - 1] != '\n') {
        *ret_status = bad(csv, "the line is too long, or does not end");
        return false;
    }
    csv->line[size - 1] = '\0';
    if (csv->row > ROWS_MAX || !split(csv) || csv->count != columns) {
        *ret_status = bad(csv, "the row has not the columns of the header");
        return false;
    }
    return true;
}

static sync_status csv_open(const char *dir, const char *name, const char *header, struct csv *csv)
{
    char path[512];
    csv->dir = dir;
    csv->name = name;
    csv->row = 0;
    int size = snprintf(path, sizeof path, "%s/%s", dir, name);
    csv->file = size > 0 && (size_t)size < sizeof path ? fopen(path, "re") : NULL;
    if (csv->file == NULL) {
        return sync_fail(csv->err, SYNC_CLASS_FATAL, SYNC_CODE_FILE, "open %s/%s: %s", dir, name,
                         strerror(errno));
    }
    if (fgets(csv->line, sizeof csv->line, csv->file) == NULL || strcmp(csv->line, header) != 0) {
        sync_status status = bad(csv, "the header is not the one that is known");
        csv_close(csv);
        return status;
    }
    return SYNC_OK;
}

/* In lower case; false when it does not fit. An empty cell stays empty. */
static bool take(const char *cell, char *ret_text, size_t capacity)
{
    size_t size = strlen(cell);
    if (size >= capacity) {
        return false;
    }
    for (size_t i = 0; i <= size; i++) {
        ret_text[i] = (char)(cell[i] >= 'A' && cell[i] <= 'Z' ? cell[i] + ('a' - 'A') : cell[i]);
    }
    return true;
}

static bool starts(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Index of a word in a list, or -1. */
static int word_of(const char *const *words, const char *word)
{
    for (int i = 0; words[i] != NULL; i++) {
        if (strcmp(words[i], word) == 0) {
            return i;
        }
    }
    return -1;
}

static bool read_right(struct csv *csv, struct delegation_right_row *row)
{
    static const char *const classes[] = {"other", "correspondence", "message", NULL};
    static const char *const answers[] = {"no", "yes", NULL};
    int class = word_of(classes, csv->cells[0]);
    int set = word_of(answers, csv->cells[3]);
    row->class = (enum delegation_class) class;
    row->set_in_a2 = set == 1;
    return class >= 0 && set >= 0 && take(csv->cells[1], row->a2_right, sizeof row->a2_right) &&
           take(csv->cells[2], row->action, sizeof row->action);
}

/* Empty, "client-role:<role>" or "granted-from:<time>". */
static bool read_condition(const char *text, struct delegation_package_row *row)
{
    static const char relation[] = "client-role:";
    static const char since[] = "granted-from:";
    row->granted_from_us = DELEGATION_NEVER;
    if (text[0] == '\0') {
        return true;
    }
    if (starts(text, relation)) {
        return text[sizeof relation - 1] != '\0' &&
               take(text + sizeof relation - 1, row->client_role, sizeof row->client_role);
    }
    return starts(text, since) &&
           sync_time_parse(sync_bytes_text(text + sizeof since - 1), &row->granted_from_us);
}

static bool read_package(struct csv *csv, struct delegation_package_row *row)
{
    static const char *const conditions[] = {"any", "person", "not-person", NULL};
    int condition = word_of(conditions, csv->cells[1]);
    row->condition = (enum delegation_condition)condition;
    return condition >= 0 && take(csv->cells[0], row->role, sizeof row->role) &&
           take(csv->cells[3], row->package, sizeof row->package) &&
           read_condition(csv->cells[5], row);
}

static bool read_role(struct csv *csv, struct delegation_role_row *row)
{
    char roles[sizeof row->er_roles - 2];
    if (!take(csv->cells[0], row->role, sizeof row->role) ||
        !sync_uuid_parse(sync_bytes_text(csv->cells[2]), &row->id) ||
        !take(csv->cells[3], roles, sizeof roles)) {
        return false;
    }
    (void)snprintf(row->er_roles, sizeof row->er_roles, " %s ", roles);
    return true;
}

struct file_form {
    const char *name, *header;
    size_t columns, row_size;
};

/* Reads all rows of a file into memory of the caller. */
static sync_status read_file(const char *dir, const struct file_form *form,
                             bool (*read)(struct csv *csv, uint8_t *row), uint8_t **ret_rows,
                             size_t *ret_count, struct sync_error *err)
{
    struct csv csv = {.err = err};
    sync_status status = csv_open(dir, form->name, form->header, &csv);
    if (!sync_is_ok(status)) {
        return status;
    }
    *ret_rows = calloc(ROWS_MAX, form->row_size);
    if (*ret_rows == NULL) {
        csv_close(&csv);
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT,
                         "read the tables of delegations: memory is short");
    }
    while (next_row(&csv, form->columns, &status)) {
        if (!read(&csv, *ret_rows + *ret_count * form->row_size)) {
            status = bad(&csv, "a value is none that is known");
            break;
        }
        (*ret_count)++;
    }
    csv_close(&csv);
    return status;
}

static bool right_row(struct csv *csv, uint8_t *row)
{
    return read_right(csv, (struct delegation_right_row *)(void *)row);
}

static bool package_row(struct csv *csv, uint8_t *row)
{
    return read_package(csv, (struct delegation_package_row *)(void *)row);
}

static bool role_row(struct csv *csv, uint8_t *row)
{
    return read_role(csv, (struct delegation_role_row *)(void *)row);
}

static const struct file_form right_form = {"rights.csv",
                                            "resource_class,a2_right,a3_action,set_in_a2,basis\n",
                                            5, sizeof(struct delegation_right_row)};
static const struct file_form package_form = {
    "role-packages.csv",
    "a2_role_code,from_party_condition,feed,package_urn,package_uuid,relation_condition\n", 6,
    sizeof(struct delegation_package_row)};
static const struct file_form role_form = {"a2-roles.csv", "code,name,role_uuid,er_roles\n", 4,
                                           sizeof(struct delegation_role_row)};

sync_status delegation_tables_new(const char *dir, struct delegation_tables **ret_tables,
                                  struct sync_error *err)
{
    struct delegation_tables *tables = calloc(1, sizeof *tables);
    uint8_t *rows[3] = {NULL, NULL, NULL};
    if (tables == NULL) {
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT,
                         "read the tables of delegations: memory is short");
    }
    tables->skew_us = DELEGATION_SKEW_US;
    sync_status status =
        read_file(dir, &right_form, right_row, &rows[0], &tables->right_count, err);
    if (sync_is_ok(status)) {
        status = read_file(dir, &package_form, package_row, &rows[1], &tables->package_count, err);
    }
    if (sync_is_ok(status)) {
        status = read_file(dir, &role_form, role_row, &rows[2], &tables->role_count, err);
    }
    tables->rights = (const struct delegation_right_row *)(void *)rows[0];
    tables->packages = (const struct delegation_package_row *)(void *)rows[1];
    tables->roles = (const struct delegation_role_row *)(void *)rows[2];
    if (sync_is_ok(status)) {
        status = delegation_tables_check(tables, err);
    }
    if (!sync_is_ok(status)) {
        delegation_tables_free(&tables);
        return status;
    }
    *ret_tables = tables;
    return SYNC_OK;
}

void delegation_tables_free(struct delegation_tables **tables)
{
    if (tables == NULL || *tables == NULL) {
        return;
    }
    free((void *)(uintptr_t)(*tables)->rights);
    free((void *)(uintptr_t)(*tables)->packages);
    free((void *)(uintptr_t)(*tables)->roles);
    free(*tables);
    *tables = NULL;
}
