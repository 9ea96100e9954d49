/*
 * The five tables of Altinn 3 in which delegations stand, as a load reads them whole. Not here: the
 * course of a load (capture_backfill.h), what a row means (delegation_events.h).
 */
#ifndef SYNC_CONNECTORS_ALTINN3_DELEGATION_LOAD_H
#define SYNC_CONNECTORS_ALTINN3_DELEGATION_LOAD_H

#include "delegation_events.h"

#define DELEGATION_LOAD_TABLES 5
extern const struct capture_table delegation_load_tables[DELEGATION_LOAD_TABLES];

/* As capture_load.target: kind is enum delegation_target_kind. */
void delegation_load_target(const struct capture_item *item, struct capture_target *ret_target);

#endif
