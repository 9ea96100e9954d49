/*
 * The stream thread's work on exports: where one begins, its rows, its end. Not here: calls that
 * are published live.
 */
#ifndef SYNC_ALTINN2_DELEGATION_MAKE_EXPORT_H
#define SYNC_ALTINN2_DELEGATION_MAKE_EXPORT_H
#include "delegation_plan.h"

/*
 * Answers a call of an export, or hands it on; its rows go to the backlog topic.
 * Fails: as resolver_exec; the push is then still the caller's.
 */
sync_status delegation_make_export(struct delegation_capture *capture, struct push *push,
                                   struct sync_error *err);

/* The broker has the rows of a call: counts and answers them. Fails: as resolver_exec. */
sync_status delegation_confirm_export(struct delegation_capture *capture, struct push *push,
                                      struct sync_error *err);
#endif
