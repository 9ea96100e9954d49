/*
 * The load of what Altinn 2 has: asks the bridge for the export of one resource after the other,
 * each with a snapshot of its own. The rows come by calls (delegation_make_export.c), and the end
 * of one export lets the next begin. Thread of the reader. Not here: roles, whose history the role
 * feed brings (delegation_feed.c).
 */
#ifndef SYNC_ALTINN2_DELEGATION_ORDER_H
#define SYNC_ALTINN2_DELEGATION_ORDER_H
#include "delegation_parts.h"

struct delegation_order;

/*
 * Owns:   resolver is the reader's and must live as long.
 * Fails:  FATAL insecure (bridge.base_url), memory_limit.
 */
sync_status delegation_order_new(struct delegation_capture *capture, struct resolver *resolver,
                                 struct delegation_order **ret_order, struct sync_error *err);
void delegation_order_free(struct delegation_order **order);

/*
 * What is due: nothing, a position, or an order.
 * Blocks: for look-ups, and at most bridge.timeout_ms for each of two calls.
 * Fails:  as resolver_exec. What the bridge says is logged, and tried again.
 */
sync_status delegation_order_turn(struct delegation_order *o, struct sync_error *err);
#endif
