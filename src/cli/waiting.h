/* What the verbs about held and parked records share: a read-only question, and cells without
 * persons. */
#ifndef SYNC_CLI_WAITING_H
#define SYNC_CLI_WAITING_H
#include "../runtime/postgres.h"
#include "homes.h"

#define WAITING_CELL 96

/* One read-only question to the home database. */
struct waiting {
    struct sync_db *db;
    struct sync_params params;
    struct sync_arena arena;
    uint8_t memory[4096];
};

/* Connects to a home and begins; the parameters are empty. waiting_done ends both. */
sync_status waiting_begin(const struct sync_cli *cli, const struct sync_home *home,
                          struct waiting *ret_waiting, struct sync_error *err);
void waiting_done(struct waiting *waiting);
#define WAITING __attribute__((cleanup(waiting_done))) struct waiting

/* Cells of a table. A key is shown when it has the form of an id: a broken record may carry
 * anything. */
void waiting_key(const struct sync_result *result, int row, int column,
                 char ret_cell[static WAITING_CELL]);
void waiting_text(const struct sync_result *result, int row, int column,
                  char ret_cell[static WAITING_CELL]);
/* What a held record waits for: "party_id 5001". Eleven digits in a row may be a person's number,
 * so such a text is not shown. */
void waiting_missing(const struct sync_result *result, int row, int column,
                     char ret_cell[static WAITING_CELL]);
void waiting_number(const struct sync_result *result, int row, int column,
                    char ret_cell[static WAITING_CELL]);
void waiting_time(const struct sync_result *result, int row, int column,
                  char ret_cell[static WAITING_CELL]);

/* One column: its heading as for sync_table_new, and how its cell comes from which column of the
 * answer. A list of them ends with a NULL heading. */
#define WAITING_COLUMNS_MAX 16
struct waiting_column {
    const char *heading;
    int number;
    void (*cell)(const struct sync_result *result, int row, int column,
                 char ret_cell[static WAITING_CELL]);
};

/* A verb that lists: its statement takes scope, rule and limit, and, where the verb has --all, a
 * boolean. */
struct waiting_list {
    const char *verb;
    const struct sync_statement *statement;
    const struct waiting_column *columns;
    bool can_all;
};

/* Takes the flags, asks every home and prints. Returns the exit code. */
int waiting_list_print(struct sync_cli *cli, const struct waiting_list *list, int argc,
                       char **argv);
#endif
