/* What the parts of the world share among themselves. */
#ifndef TESTS_SIM_WORLD_PARTS_H
#define TESTS_SIM_WORLD_PARTS_H

#include "world.h"

#define WORLD_BASE_S 1741078800LL /* second 0 of the world */

struct world_change {
    const char *name;
    bool altinn2;
    struct world_key key;
};
extern const struct world_change world_changes[WORLD_CHANGES];

/* One decision: what the checks of its effects need to know. */
struct world_deciding {
    const struct world_model *model;
    struct world *world;
    struct world_fault *fault;
    int key;         /* -1: adoption, import or flip */
    bool altinn2;    /* a record of Altinn 2 */
    bool echo;       /* it is Altinn 2's report of our own call */
    bool was_purged; /* before the decision */
};

/* Says what is broken, and returns false. */
bool world_broken(struct world_fault *fault, const char *what, const char *detail);
int world_key_find(const struct world_model *model, struct world_key key);

/* world_effects.c: checks effects when they are decided. */
bool world_effects_take(struct world_deciding *d, const struct sync_effects *effects);

/* world.c */
bool world_notice_flip(struct world_deciding *d);
bool world_dialog_send(const struct world_model *model, struct world *w, struct world_fault *fault);
void world_batch_end(const struct world_model *model, struct world *w);

#endif
