/*
 * What the verbs that look at home databases share: which homes, and a column for them where there
 * are several. Not here: what is asked of a home.
 */
#ifndef SYNC_CLI_HOMES_H
#define SYNC_CLI_HOMES_H
#include "../runtime/home.h"
#include "../runtime/postgres.h"
#include "cli.h"

#define HOMES_CELLS_MAX 20

struct homes {
    struct sync_home items[SYNC_HOMES_MAX];
    size_t count;
    bool shown;    /* rows say which home they are of: the verb acts on more than one */
    size_t failed; /* homes_fail was called so often */
};

/*
 * Takes --home and finds the homes that the verb acts on: every one of the configuration, or the
 * one named. Returns 0, or an exit code after saying what is wrong.
 */
int homes_take(const struct sync_cli *cli, const char *verb, int *argc, char **argv,
               struct homes *ret_homes);

/* A handle on one home for a verb.  Fails: as sync_db_new. */
sync_status homes_open(const struct sync_home *home, const char *application,
                       struct sync_db **ret_db, struct sync_error *err);

/* Says on stderr what failed, of which home where there are several. Returns the exit code. */
int homes_fail(struct homes *homes, const struct sync_home *home, struct sync_error *err);

/* A table whose first column is the home where rows say it. columns and cells are NULL-ended, at
 * most HOMES_CELLS_MAX. */
struct sync_table *homes_table(const struct homes *homes, const char *const *columns);
void homes_row(struct sync_table *table, const struct homes *homes, const struct sync_home *home,
               const char *const *cells);
/* Prints and frees the table, unless no home answered. Returns code. */
int homes_print(const struct sync_cli *cli, const struct homes *homes, struct sync_table **table,
                int code);
#endif
