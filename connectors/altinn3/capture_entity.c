/* The entities that are captured, and what their settings say. An entity adds one row. */
#include "capture_entity.h"

#include <stdio.h>
#include <string.h>

extern const struct capture_entity capture_status, capture_delegation;

const struct capture_entity *const capture_entities[] = {&capture_status, &capture_delegation,
                                                         NULL};

const struct capture_entity *capture_entity_find(const char *name)
{
    for (size_t i = 0; capture_entities[i] != NULL; i++) {
        if (strcmp(capture_entities[i]->name, name) == 0) {
            return capture_entities[i];
        }
    }
    return NULL;
}

sync_status capture_home_of(const struct capture_entity *entity, const struct sync_config *config,
                            struct sync_home *ret_home, struct sync_error *err)
{
    char who[96];
    (void)snprintf(who, sizeof who, "capture %s", entity->name);
    return sync_home_find(config, entity->processor->home, who, ret_home, err);
}

const char *capture_slot_of(const struct capture_entity *entity, const struct sync_config *config)
{
    return (const char *)config + entity->slot_at;
}

const char *capture_publication_of(const struct capture_entity *entity,
                                   const struct sync_config *config)
{
    return (const char *)config + entity->publication_at;
}

const char *capture_backlog_of(const struct capture_entity *entity)
{
    const struct sync_processor *processor = entity->processor;
    for (size_t i = 0; i < processor->route_count; i++) {
        const struct sync_route *route = &processor->routes[i];
        if (route->yields_to != NULL && route->inputs[0].from == SYNC_SYSTEM_ALTINN3) {
            return route->inputs[0].topic;
        }
    }
    return NULL;
}
