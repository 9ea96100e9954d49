/* Checks every effect the moment it is decided, and lets it wait. Not here: sending it. */
#include "world_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static int call_index(const char *name)
{
    static const char *const names[] = {"a2/read", "a2/confirm", "a2/delete"};
    for (int i = 0; i < 3; i++) {
        if (strcmp(names[i], name) == 0) {
            return i;
        }
    }
    return -1;
}

/* The key that a call names in its frozen body. */
static int call_key(const struct world_deciding *d, const struct sync_effect *effect)
{
    int kind = 0;
    char party[SYNC_UUID_BUFFER] = "";
    int64_t second = 0;
    if (sscanf(effect->body,
               "{\"altinn2_id\":7001,\"kind\":%d,\"party\":\"%36[^\"]\",\"second\":%" SCNd64, &kind,
               party, &second) != 3) {
        return -1;
    }
    int number = (int)strtol((char[]){party[0], party[1], '\0'}, NULL, 16) - 1;
    return world_key_find(d->model, (struct world_key){kind, number, second - WORLD_BASE_S});
}

static bool effect_call(struct world_deciding *d, const struct sync_effect *effect)
{
    if (d->altinn2) {
        return world_broken(d->fault, "a record of Altinn 2 was called back to it", effect->name);
    }
    int n = call_index(effect->name);
    if (d->was_purged && n < 2) {
        return world_broken(d->fault, "a call after a purge", effect->name);
    }
    if (n < 0 || d->world->calls[n].state != WORLD_CALL_NONE) {
        return world_broken(d->fault, "a call was decided twice", effect->name);
    }
    int key = call_key(d, effect);
    for (int i = 0; i < WORLD_CHANGES; i++) {
        if (!world_changes[i].altinn2 && (d->world->committed >> i & 1) != 0 &&
            d->model->change_key[i] == key) {
            d->world->calls[n].state = WORLD_CALL_WAITING;
            d->world->calls[n].key = key;
            d->world->call_order[d->world->call_count++] = n;
            return true;
        }
    }
    return world_broken(d->fault, "a call was decided for what did not happen in Altinn 3",
                        effect->body);
}

static bool effect_event(struct world_deciding *d, const struct sync_effect *effect)
{
    if (d->was_purged || d->echo || d->key < 0) {
        return world_broken(d->fault,
                            d->echo ? "our own echo was announced" : "an event after a purge",
                            effect->name);
    }
    if (strcmp(effect->name, "event/purged") == 0) {
        bool twice = d->world->event_purged;
        d->world->event_purged = true;
        return !twice || world_broken(d->fault, "an event was decided twice", effect->name);
    }
    const char *second = strrchr(effect->name, '/') + 1;
    if (strtoll(second, NULL, 10) != WORLD_BASE_S + d->model->keys[d->key].second) {
        return world_broken(d->fault, "an event of another second", effect->name);
    }
    bool twice = (d->world->events >> d->key & 1) != 0;
    d->world->events |= 1U << d->key;
    return !twice || world_broken(d->fault, "an event was decided twice", effect->name);
}

static bool tell_once(struct world_deciding *d, const struct sync_effect *effect, bool *told,
                      bool *waiting)
{
    if (*told) {
        return world_broken(d->fault, "a dialog effect was decided twice", effect->name);
    }
    *told = true;
    *waiting = true;
    return true;
}

static bool effect_dialog(struct world_deciding *d, const struct sync_effect *effect)
{
    struct world *w = d->world;
    if (strcmp(effect->name, "dialog/delete") == 0) {
        return tell_once(d, effect, &w->told_deleted, &w->waiting_deleted);
    }
    if (d->was_purged) {
        return world_broken(d->fault, "a dialog effect after a purge", effect->name);
    }
    if (strcmp(effect->name, "dialog/opened") == 0) {
        return tell_once(d, effect, &w->told_opened, &w->waiting_opened);
    }
    if (strcmp(effect->name, "dialog/confirmed") == 0) {
        return tell_once(d, effect, &w->told_confirmed, &w->waiting_confirmed);
    }
    w->waiting_label = true;
    return effect->single_prefix_size > 0 ||
           world_broken(d->fault, "a dialog effect that is not known", effect->name);
}

static bool effect_take(struct world_deciding *d, const struct sync_effect *effect)
{
    struct world *w = d->world;
    if (effect->withdraw) {
        bool keep = d->model->plant == WORLD_PLANT_DIALOG_NOT_SKIPPED;
        w->waiting_opened = w->waiting_opened && keep;
        w->waiting_confirmed = w->waiting_confirmed && keep;
        w->waiting_label = w->waiting_label && keep;
        return true;
    }
    if (effect->closed) {
        return world_broken(d->fault, "a closed effect on an open lane", effect->name);
    }
    if (strcmp(effect->target, "altinn2") == 0) {
        return effect_call(d, effect);
    }
    if (w->state.gate != STATUS_VISIBLE) {
        return world_broken(d->fault, "an outward effect of a message that is not visible",
                            effect->name);
    }
    return strcmp(effect->target, "event") == 0 ? effect_event(d, effect)
                                                : effect_dialog(d, effect);
}

bool world_effects_take(struct world_deciding *d, const struct sync_effects *effects)
{
    for (size_t i = 0; i < effects->count; i++) {
        if (!effect_take(d, &effects->items[i])) {
            return false;
        }
    }
    return true;
}
