/*
 * Questions about the routes of this binary. All answers are static data; nothing blocks.
 */
#ifndef SYNC_RUNTIME_ROUTE_H
#define SYNC_RUNTIME_ROUTE_H
#include "topics.h"
#include <altinn_sync/processor.h>

#define SYNC_ROUTES_MAX 64 /* of all processors together */

/* The route of a name, NULL when there is none; ret_processor is then untouched. */
const struct sync_route *sync_route_find(const char *name,
                                         const struct sync_processor **ret_processor);

/* The route of a processor whose consumer has this scope, perhaps with the id of a replay behind
 * '#'; NULL = none. */
const struct sync_route *sync_route_of_scope(const struct sync_processor *processor,
                                             const char *scope);

/* Names of all routes, room for SYNC_ROUTES_MAX. Returns how many. */
size_t sync_route_names(const char **ret_names);

/* What the route reads of this topic, NULL = nothing. */
const struct sync_input *sync_route_input(const struct sync_route *route, const char *topic);

/* Whether the route sends the effects for target. */
bool sync_route_sends(const struct sync_route *route, const char *target);

/* The route of a processor that sends the effects for target, NULL = none. */
const struct sync_route *sync_route_to(const struct sync_processor *processor, const char *target);

/* Name of a side for people. */
const char *sync_route_side(enum sync_system system);

/* The topic whose partitions are those of the route's lanes. */
const char *sync_route_lane_topic(const struct sync_route *route);

/* The live topic for what is born on one side, NULL = none. */
const char *sync_route_topic_from(const struct sync_processor *processor, enum sync_system from);

/*
 * Whether topics.yaml knows what the route reads, and says of several topics that they are
 * co-partitioned.
 * Fails: FATAL config with the topic and the mend.
 */
sync_status sync_route_check(const struct sync_route *route, const struct sync_topics *topics,
                             struct sync_error *err);
#endif
