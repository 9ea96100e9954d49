/* Questions about the routes of this binary. Not here: the routes themselves (processors/). */
#include "route.h"

const struct sync_route *sync_route_find(const char *name,
                                         const struct sync_processor **ret_processor)
{
    for (size_t i = 0; sync_processors[i] != NULL; i++) {
        for (size_t j = 0; j < sync_processors[i]->route_count; j++) {
            if (strcmp(sync_processors[i]->routes[j].name, name) == 0) {
                *ret_processor = sync_processors[i];
                return &sync_processors[i]->routes[j];
            }
        }
    }
    return NULL;
}

const struct sync_route *sync_route_of_scope(const struct sync_processor *processor,
                                             const char *scope)
{
    size_t size = strcspn(scope, "#");
    for (size_t i = 0; i < processor->route_count; i++) {
        const char *name = processor->routes[i].name;
        if (strlen(name) == size && memcmp(name, scope, size) == 0) {
            return &processor->routes[i];
        }
    }
    return NULL;
}

size_t sync_route_names(const char **ret_names)
{
    size_t count = 0;
    for (size_t i = 0; sync_processors[i] != NULL; i++) {
        for (size_t j = 0; j < sync_processors[i]->route_count && count < SYNC_ROUTES_MAX; j++) {
            ret_names[count++] = sync_processors[i]->routes[j].name;
        }
    }
    return count;
}

const struct sync_input *sync_route_input(const struct sync_route *route, const char *topic)
{
    for (size_t i = 0; i < route->input_count; i++) {
        if (strcmp(route->inputs[i].topic, topic) == 0) {
            return &route->inputs[i];
        }
    }
    return NULL;
}

bool sync_route_sends(const struct sync_route *route, const char *target)
{
    for (size_t i = 0; route->targets != NULL && route->targets[i] != NULL; i++) {
        if (strcmp(route->targets[i], target) == 0) {
            return true;
        }
    }
    return false;
}

const struct sync_route *sync_route_to(const struct sync_processor *processor, const char *target)
{
    for (size_t i = 0; i < processor->route_count; i++) {
        if (sync_route_sends(&processor->routes[i], target)) {
            return &processor->routes[i];
        }
    }
    return NULL;
}

const char *sync_route_lane_topic(const struct sync_route *route)
{
    return route->inputs[0].topic;
}

const char *sync_route_topic_from(const struct sync_processor *processor, enum sync_system from)
{
    for (size_t i = 0; i < processor->route_count; i++) {
        const struct sync_route *route = &processor->routes[i];
        for (size_t j = 0; j < route->input_count && route->yields_to == NULL; j++) {
            if (route->inputs[j].from == from) {
                return route->inputs[j].topic;
            }
        }
    }
    return NULL;
}

const char *sync_route_side(enum sync_system system)
{
    switch (system) {
    case SYNC_SYSTEM_NONE:
        return "";
    case SYNC_SYSTEM_ALTINN2:
        return "Altinn 2";
    case SYNC_SYSTEM_ALTINN3:
        return "Altinn 3";
    case SYNC_SYSTEM_SYS:
        return "above both";
    }
    return "";
}

sync_status sync_route_check(const struct sync_route *route, const struct sync_topics *topics,
                             struct sync_error *err)
{
    const struct sync_topic *first = sync_topics_find(topics, route->inputs[0].topic);
    for (size_t i = 0; i < route->input_count; i++) {
        const char *name = route->inputs[i].topic;
        const struct sync_topic *topic = sync_topics_find(topics, name);
        if (topic == NULL) {
            return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_CONFIG,
                             "run %s: topics.file does not name %s; add it", route->name, name);
        }
        if (i > 0 && !sync_topics_co_partitioned(first, topic)) {
            return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_CONFIG,
                             "run %s: it reads %s and %s, and topics.file does not say that they "
                             "are co-partitioned; write coPartitionWith and equal partitions",
                             route->name, first->name, name);
        }
    }
    return SYNC_OK;
}
