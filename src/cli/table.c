/* Rows of text as an aligned table or as JSON. Not here: what stands in the cells. */
#include "cli.h"

#include "../runtime/units.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS_MAX 24
#define GAP         2

struct sync_table {
    size_t column_count, row_count, capacity;
    char *columns[COLUMNS_MAX]; /* without the '#' */
    bool numeric[COLUMNS_MAX];
    char **cells; /* row by row */
};

static char *copy(const char *text)
{
    char *made = strdup(text);
    SYNC_ASSERT(made != NULL);
    return made;
}

struct sync_table *sync_table_new(const char *const *columns)
{
    struct sync_table *table = calloc(1, sizeof *table);
    SYNC_ASSERT(table != NULL);
    for (size_t i = 0; columns[i] != NULL; i++) {
        SYNC_ASSERT(i < COLUMNS_MAX);
        table->numeric[i] = columns[i][0] == '#';
        table->columns[i] = copy(columns[i] + (table->numeric[i] ? 1 : 0));
        table->column_count++;
    }
    return table;
}

void sync_table_row(struct sync_table *table, const char *const *cells)
{
    if (table->row_count == table->capacity) {
        table->capacity = table->capacity == 0 ? 16 : 2 * table->capacity;
        table->cells =
            realloc(table->cells, table->capacity * table->column_count * sizeof *table->cells);
        SYNC_ASSERT(table->cells != NULL);
    }
    for (size_t i = 0; i < table->column_count; i++) {
        SYNC_ASSERT(cells[i] != NULL);
        table->cells[table->row_count * table->column_count + i] = copy(cells[i]);
    }
    table->row_count++;
}

/* Characters, not bytes; wide ones do not occur in what we print. */
static int width_of(const char *text)
{
    int width = 0;
    for (; *text != '\0'; text++) {
        width += ((unsigned char)*text & 0xc0) != 0x80;
    }
    return width;
}

static const char *shown(const char *cell)
{
    return cell[0] != '\0' ? cell : "-";
}

static void print_cell(const char *text, int width, bool right, bool last, FILE *out)
{
    int fill = width - width_of(text);
    if (right) {
        (void)fprintf(out, "%*s%s", fill, "", text);
    } else {
        (void)fprintf(out, "%s%*s", text, last ? 0 : fill, "");
    }
    (void)fprintf(out, "%*s", last ? 0 : GAP, "");
}

static void print_text(const struct sync_table *table, FILE *out)
{
    int widths[COLUMNS_MAX];
    size_t columns = table->column_count;
    for (size_t i = 0; i < columns; i++) {
        widths[i] = width_of(table->columns[i]);
        for (size_t row = 0; row < table->row_count; row++) {
            int width = width_of(shown(table->cells[row * columns + i]));
            widths[i] = width > widths[i] ? width : widths[i];
        }
    }
    for (size_t i = 0; i < columns; i++) {
        char head[64];
        size_t size = 0;
        for (; table->columns[i][size] != '\0' && size + 1 < sizeof head; size++) {
            head[size] = (char)toupper((unsigned char)table->columns[i][size]);
        }
        head[size] = '\0';
        print_cell(head, widths[i], table->numeric[i], i + 1 == columns, out);
    }
    (void)fputc('\n', out);
    for (size_t row = 0; row < table->row_count; row++) {
        for (size_t i = 0; i < columns; i++) {
            print_cell(shown(table->cells[row * columns + i]), widths[i], table->numeric[i],
                       i + 1 == columns, out);
        }
        (void)fputc('\n', out);
    }
}

/* "last error" -> "last_error". */
static void member_name(const char *column, char *ret_name, size_t size)
{
    size_t used = 0;
    for (; column[used] != '\0' && used + 1 < size; used++) {
        ret_name[used] = column[used] == ' ' ? '_' : (char)tolower((unsigned char)column[used]);
    }
    ret_name[used] = '\0';
}

static void put_cell(struct sync_json_writer *w, const char *name, const char *cell, bool numeric)
{
    int64_t number = 0;
    char *end = NULL;
    if (cell[0] == '\0') {
        sync_json_put_text(w, name, NULL);
    } else if (numeric && sync_units_number(cell, &number)) {
        sync_json_put_integer(w, name, number);
    } else if (numeric && strtod(cell, &end) != 0 && *end == '\0') {
        sync_json_put_real(w, name, strtod(cell, NULL));
    } else {
        sync_json_put_text(w, name, cell);
    }
}

static void free_table(struct sync_table **table)
{
    struct sync_table *t = *table;
    for (size_t i = 0; i < t->row_count * t->column_count; i++) {
        free(t->cells[i]);
    }
    for (size_t i = 0; i < t->column_count; i++) {
        free(t->columns[i]);
    }
    free(t->cells);
    free(t);
    *table = NULL;
}

void sync_table_put(struct sync_table **table, struct sync_json_writer *w, const char *name)
{
    const struct sync_table *t = *table;
    sync_json_open(w, name, '[');
    for (size_t row = 0; row < t->row_count; row++) {
        sync_json_open(w, NULL, '{');
        for (size_t i = 0; i < t->column_count; i++) {
            char member[64];
            member_name(t->columns[i], member, sizeof member);
            put_cell(w, member, t->cells[row * t->column_count + i], t->numeric[i]);
        }
        sync_json_close(w, '}');
    }
    sync_json_close(w, ']');
    free_table(table);
}

void sync_table_print(struct sync_table **table, bool json, FILE *out)
{
    if (out == NULL) {
        free_table(table);
        return;
    }
    if (!json) {
        print_text(*table, out);
        free_table(table);
        return;
    }
    struct sync_json_writer w;
    sync_json_writer_init(&w);
    sync_table_put(table, &w, NULL);
    char *text = sync_json_writer_take(&w);
    SYNC_ASSERT(text != NULL);
    (void)fprintf(out, "%s\n", text);
    free(text);
}
