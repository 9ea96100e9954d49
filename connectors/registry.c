/* The stores, lanes and loaders of this binary, by name. An entity with an outside target adds a
 * row of lanes, one whose rows come from a file a row of loaders. */
#include "../src/runtime/loader.h"
#include "../src/runtime/store.h"

#include <string.h>

extern const struct sync_lane_store sync_lane_store_correspondence, sync_lane_store_delegation,
    sync_lane_store_delegation_cache;
extern const struct sync_loader sync_loader_correspondence, sync_loader_delegation;

static const struct sync_lane_store *const lanes[] = {&sync_lane_store_correspondence,
                                                      &sync_lane_store_delegation,
                                                      &sync_lane_store_delegation_cache};

const struct sync_store *sync_store_find(const char *name)
{
    for (size_t i = 0; sync_stores[i] != NULL; i++) {
        if (strcmp(sync_stores[i]->name, name) == 0) {
            return sync_stores[i];
        }
    }
    return NULL;
}

const struct sync_lane_store *sync_lane_store_find(const char *store, const char *target)
{
    for (size_t i = 0; i < sizeof lanes / sizeof lanes[0]; i++) {
        if (strcmp(lanes[i]->store, store) == 0 && strcmp(lanes[i]->target, target) == 0) {
            return lanes[i];
        }
    }
    return NULL;
}

const struct sync_loader *const sync_loaders[] = {&sync_loader_correspondence,
                                                  &sync_loader_delegation, NULL};

const struct sync_loader *sync_loader_find(const char *name)
{
    for (size_t i = 0; sync_loaders[i] != NULL; i++) {
        if (strcmp(sync_loaders[i]->name, name) == 0) {
            return sync_loaders[i];
        }
    }
    return NULL;
}

const struct sync_loader *sync_loader_for(struct sync_bytes type)
{
    for (size_t i = 0; sync_loaders[i] != NULL; i++) {
        for (const char *const *own = sync_loaders[i]->types; *own != NULL; own++) {
            if (sync_bytes_equal(sync_bytes_text(*own), type)) {
                return sync_loaders[i];
            }
        }
    }
    return NULL;
}
