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

/* Filters that both lists take. */
struct waiting_filter {
    const char *scope, *rule; /* NULL = all */
    int64_t limit;
    bool all; /* also what is no longer open; of "parked list" */
};

/* Takes --scope, --rule and --limit. Returns 0, or 2 after saying what is wrong. */
int waiting_filter_take(const char *verb, int *argc, char **argv,
                        struct waiting_filter *ret_filter);

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
#endif
