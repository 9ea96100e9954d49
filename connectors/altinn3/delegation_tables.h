/*
 * The tables of delegations from the data files: rights.csv, role-packages.csv, a2-roles.csv. Not
 * here: what a row means (processors/delegation/mapping.c).
 */
#ifndef CONNECTORS_ALTINN3_DELEGATION_TABLES_H
#define CONNECTORS_ALTINN3_DELEGATION_TABLES_H

#include <altinn_sync/delegation.h>

/*
 * Reads and checks the three files of a directory.
 * Owns:   the caller frees ret_tables, which owns all its rows.
 * Blocks: for the file system; at start only.
 * Fails:  FATAL file, or FATAL config naming file and row: a wrong table would give access.
 */
sync_status delegation_tables_new(const char *dir, struct delegation_tables **ret_tables,
                                  struct sync_error *err);
void delegation_tables_free(struct delegation_tables **tables);

#endif
