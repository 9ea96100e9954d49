/* The entities that are captured, and what their settings say. An entity adds one row. */
#include "capture_entity.h"

#include <string.h>

extern const struct capture_entity capture_status;

const struct capture_entity *const capture_entities[] = {&capture_status, NULL};

const struct capture_entity *capture_entity_find(const char *name)
{
    for (size_t i = 0; capture_entities[i] != NULL; i++) {
        if (strcmp(capture_entities[i]->name, name) == 0) {
            return capture_entities[i];
        }
    }
    return NULL;
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
