/* Rows to grants and revocations; who acted, and whether it was us. */
#include "delegation_events.h"

#include "authorization_ids.h"

#include <stdio.h>
#include <stdlib.h>

#define OPERATION_PREFIX "altinn-sync/" /* of audit_changeoperation: then source, stream, seq */

bool delegation_known_init(struct delegation_known *known, const char *own)
{
    const char *const sync[] = {own, AUTHORIZATION_SYSTEM_A2_ROLE_IMPORT,
                                AUTHORIZATION_SYSTEM_A2_ADD_RULES_API,
                                AUTHORIZATION_SYSTEM_A2_INSTANCE_IMPORT};
    static const char *const people[] = {AUTHORIZATION_SYSTEM_END_USER_API,
                                         AUTHORIZATION_SYSTEM_LEGACY_RIGHTS_API,
                                         AUTHORIZATION_SYSTEM_LEGACY_SCHEMA_API};
    bool good = true;
    for (size_t i = 0; i < 4; i++) {
        good = sync_uuid_parse(sync_bytes_text(sync[i]), &known->sync[i]) && good;
    }
    for (size_t i = 0; i < 3; i++) {
        good = sync_uuid_parse(sync_bytes_text(people[i]), &known->people[i]) && good;
    }
    return good;
}

/* Whether a row counts. */

static bool fits_container(enum delegation_row_kind kind, const struct delegation_edge *edge,
                           const struct delegation_object *object)
{
    switch (kind) {
    case DELEGATION_ROW_ASSIGNMENT:
        return edge->container == DELEGATION_CONTAINER_ROLE;
    case DELEGATION_ROW_RESOURCE:
        return edge->container == (object->type == DELEGATION_OBJECT_SCHEMA
                                       ? DELEGATION_CONTAINER_SUPPLIER
                                       : DELEGATION_CONTAINER_RIGHTHOLDER);
    case DELEGATION_ROW_INSTANCE:
        return edge->container == DELEGATION_CONTAINER_RIGHTHOLDER ||
               edge->container == DELEGATION_CONTAINER_APP;
    case DELEGATION_ROW_PACKAGE:
        return edge->container == DELEGATION_CONTAINER_RIGHTHOLDER;
    case DELEGATION_ROW_CLIENT_PACKAGE:
        return true; /* its container is the delegation */
    case DELEGATION_ROW_DELEGATION:
    case DELEGATION_ROW_KIND_COUNT:
        break;
    }
    return false;
}

static bool has_actions(enum delegation_row_kind kind)
{
    return kind == DELEGATION_ROW_RESOURCE || kind == DELEGATION_ROW_INSTANCE;
}

static bool is_moved(const struct delegation_row *row)
{
    return row->act == DELEGATION_ROW_CHANGED &&
           (sync_uuid_compare(&row->place.parent, &row->before.parent) != 0 ||
            sync_uuid_compare(&row->place.object, &row->before.object) != 0 ||
            sync_uuid_compare(&row->place.from, &row->before.from) != 0 ||
            sync_uuid_compare(&row->place.to, &row->before.to) != 0 ||
            strcmp(row->place.instance, row->before.instance) != 0);
}

bool delegation_row_counts(const struct delegation_row *row, const struct delegation_answer *answer,
                           const char **ret_reason)
{
    bool now = fits_container(row->kind, &answer->edge, &answer->object);
    bool before =
        is_moved(row) && fits_container(row->kind, &answer->edge_before, &answer->object_before);
    *ret_reason = NULL;
    if (row->kind == DELEGATION_ROW_DELEGATION) {
        return false; /* what is given stands below it */
    }
    if (!now && !before) {
        *ret_reason = row->kind == DELEGATION_ROW_ASSIGNMENT ? NULL : "other_container";
        return false;
    }
    if (answer->object.type == DELEGATION_OBJECT_ALTINN2) {
        *ret_reason = "written_through"; /* DL-10 */
        return false;
    }
    if (row->place.is_cut || row->before.is_cut) {
        *ret_reason = "instance_too_long";
        return false;
    }
    bool inserts_nothing = row->act == DELEGATION_ROW_INSERTED && has_actions(row->kind) &&
                           answer->now.names[0] == '\0';
    *ret_reason = inserts_nothing ? "no_actions" : NULL;
    return !inserts_nothing;
}

/* Who acted. */

static bool is_one_of(const struct sync_uuid *id, const struct sync_uuid *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (sync_uuid_compare(id, &list[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* "altinn-sync/A2/a2.rule.1/4711" as we write it; false when somebody wrote something else. */
static bool read_origin(const char *operation, struct delegation_change *ret_change)
{
    static const char *const sources[] = {"A2/", "A3/", "SYS/"};
    size_t prefix = sizeof OPERATION_PREFIX - 1;
    if (strncmp(operation, OPERATION_PREFIX, prefix) != 0) {
        return false;
    }
    const char *at = operation + prefix;
    for (int32_t i = 0; i < 3; i++) {
        size_t size = strlen(sources[i]);
        const char *stream = at + size, *slash = strrchr(at, '/');
        if (strncmp(at, sources[i], size) != 0 || slash <= stream ||
            (size_t)(slash - stream) >= DELEGATION_STREAM_SIZE ||
            strspn(slash + 1, "0123456789") != strlen(slash + 1) || slash[1] == '\0' ||
            strlen(slash + 1) > 18) {
            continue;
        }
        ret_change->origin_source = i;
        ret_change->has_origin_stream = ret_change->has_origin_seq = true;
        ret_change->origin_stream =
            (struct sync_bytes){(const uint8_t *)stream, (size_t)(slash - stream)};
        ret_change->origin_seq = strtoll(slash + 1, NULL, 10);
        return true;
    }
    return false;
}

/*
 * DL-92. The last writer owns a row, but for a writer who left the stamp as it was: he is nobody we
 * know, and what he did is born. An origin of ours on the transaction is ours whatever the stamp.
 */
static void put_origin(const struct delegation_known *known, const struct capture_item *item,
                       struct delegation_change *ret_change)
{
    const struct delegation_row *row = item->row;
    const struct delegation_stamp *stamp = &row->stamp;
    bool is_ours = stamp->has_system && sync_uuid_compare(&stamp->system, &known->sync[0]) == 0;
    bool is_sync = stamp->has_system && is_one_of(&stamp->system, known->sync, 4);
    if (row->unstamped ? !item->own_write : !is_sync && !item->own_write) {
        return;
    }
    ret_change->has_origin = true;
    ret_change->origin_source = DELEGATION_A2; /* where only our hand is known */
    if (is_ours && !row->unstamped) {
        (void)read_origin(stamp->operation, ret_change);
    }
}

/* Section 7: a person through a system of people. A performer whom nobody knows came through it. */
static bool is_human(const struct delegation_known *known, const struct delegation_row *row,
                     const struct delegation_answer *answer)
{
    return !row->unstamped && row->stamp.has_by && row->stamp.has_system &&
           is_one_of(&row->stamp.system, known->people, 3) && !answer->performer_is_no_user;
}

static bool is_time(int64_t time_us)
{
    return time_us != INT64_MIN && time_us != INT64_MAX;
}

static void put_actor(const struct delegation_known *known, const struct capture_item *item,
                      struct delegation_change *ret_change)
{
    const struct delegation_row *row = item->row;
    put_origin(known, item, ret_change);
    bool human = !ret_change->has_origin && is_human(known, row, item->answer);
    ret_change->by = human ? DELEGATION_HUMAN : DELEGATION_MACHINE;
    if (row->stamp.has_by && !row->unstamped) {
        ret_change->performer =
            (struct delegation_name){.present = true, .has_uuid = true, .uuid = row->stamp.by};
    }
    ret_change->has_event_time = row->unstamped || is_time(row->stamp.time_us);
    ret_change->event_time_us = row->unstamped ? item->committed_us : row->stamp.time_us;
}

/* What is given. */

static struct delegation_name name_of(const struct sync_uuid *id)
{
    return (struct delegation_name){.present = true, .has_uuid = true, .uuid = *id};
}

static void put_key(const struct delegation_row *row, const struct delegation_edge *edge,
                    const struct delegation_object *object, const struct delegation_place *place,
                    struct delegation_change *ret_change)
{
    static const struct {
        enum delegation_kind kind;
        enum delegation_target_kind target;
    } kinds[] = {
        [DELEGATION_ROW_ASSIGNMENT] = {DELEGATION_ROLE, DELEGATION_TARGET_ROLE},
        [DELEGATION_ROW_RESOURCE] = {DELEGATION_SINGLE, DELEGATION_TARGET_RESOURCE},
        [DELEGATION_ROW_INSTANCE] = {DELEGATION_INSTANCE, DELEGATION_TARGET_RESOURCE},
        [DELEGATION_ROW_PACKAGE] = {DELEGATION_PACKAGE, DELEGATION_TARGET_PACKAGE},
        [DELEGATION_ROW_CLIENT_PACKAGE] = {DELEGATION_CLIENT, DELEGATION_TARGET_PACKAGE},
    };
    bool is_role = row->kind == DELEGATION_ROW_ASSIGNMENT;
    ret_change->kind = kinds[row->kind].kind;
    ret_change->from = name_of(&edge->from);
    ret_change->to = name_of(&edge->to);
    if (row->kind == DELEGATION_ROW_CLIENT_PACKAGE) {
        ret_change->facilitator = name_of(&edge->facilitator);
    }
    ret_change->has_target = ret_change->has_target_id = true;
    ret_change->target_kind = kinds[row->kind].target;
    ret_change->target_id = sync_bytes_text(is_role ? edge->role : object->id);
    if (row->kind == DELEGATION_ROW_INSTANCE) {
        ret_change->has_instance = place->instance[0] != '\0';
        ret_change->instance = sync_bytes_text(place->instance);
        ret_change->app_controlled = edge->container == DELEGATION_CONTAINER_APP;
    }
}

/* Next line of a list of actions. */
static bool next_action(const char **left, struct sync_bytes *ret_action)
{
    size_t size = strcspn(*left, "\n");
    *ret_action = (struct sync_bytes){(const uint8_t *)*left, size};
    *left += size + ((*left)[size] == '\n' ? 1 : 0);
    return size > 0;
}

static bool has_action(const char *actions, struct sync_bytes wanted)
{
    struct sync_bytes action;
    while (next_action(&actions, &action)) {
        if (sync_bytes_equal(action, wanted)) {
            return true;
        }
    }
    return false;
}

/* Those of a list that another one lacks (NULL: lacks all). Fails: RETRY memory_limit. */
static sync_status put_actions(const char *actions, const char *but, struct sync_arena *arena,
                               struct sync_texts *ret_texts, struct sync_error *err)
{
    struct sync_bytes found[DELEGATION_RIGHTS_MAX], action;
    size_t count = 0, room_size = DELEGATION_ACTIONS_SIZE + DELEGATION_RIGHTS_MAX * 4;
    while (count < DELEGATION_RIGHTS_MAX && next_action(&actions, &action)) {
        if (but == NULL || !has_action(but, action)) {
            found[count++] = action;
        }
    }
    uint8_t *room = sync_arena_take(arena, room_size);
    if (room == NULL || !sync_texts_make(found, count, room, room_size, ret_texts)) {
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT,
                         "make an event: the arena is full");
    }
    return SYNC_OK;
}

/* Everything that the row stands for now. */
static sync_status put_grant(const struct delegation_row *row,
                             const struct delegation_answer *answer, struct sync_arena *arena,
                             struct delegation_change *ret_change, struct sync_error *err)
{
    put_key(row, &answer->edge, &answer->object, &row->place, ret_change);
    ret_change->op = DELEGATION_GRANT;
    return put_actions(has_actions(row->kind) ? answer->now.names : "*", NULL, arena,
                       &ret_change->rights, err);
}

/*
 * A row that stands elsewhere, or of which nobody knows what it gave before: it ends, and what it
 * gives now is granted. The end is no act of a person, who took at most a part.
 */
static sync_status put_anew(const struct delegation_row *row,
                            const struct delegation_answer *answer, unsigned part,
                            struct sync_arena *arena, struct delegation_change *ret_change,
                            struct sync_error *err)
{
    bool moved = is_moved(row);
    const struct delegation_edge *edge = moved ? &answer->edge_before : &answer->edge;
    const struct delegation_object *object = moved ? &answer->object_before : &answer->object;
    if (part == 0 && fits_container(row->kind, edge, object)) {
        put_key(row, edge, object, &row->before, ret_change);
        ret_change->op = DELEGATION_REVOKE_ALL;
        ret_change->by = DELEGATION_MACHINE;
    }
    if (part == 1 && fits_container(row->kind, &answer->edge, &answer->object)) {
        return put_grant(row, answer, arena, ret_change, err);
    }
    return SYNC_OK;
}

/* What came, then what went. What went with a document that is lost, no person took. */
static sync_status put_difference(const struct delegation_row *row,
                                  const struct delegation_answer *answer, unsigned part,
                                  struct sync_arena *arena, struct delegation_change *ret_change,
                                  struct sync_error *err)
{
    put_key(row, &answer->edge, &answer->object, &row->place, ret_change);
    if (part == 0) {
        ret_change->op = DELEGATION_GRANT;
        return put_actions(answer->now.names, answer->old.names, arena, &ret_change->rights, err);
    }
    ret_change->op = DELEGATION_REVOKE;
    ret_change->by = answer->now.missing ? DELEGATION_MACHINE : ret_change->by;
    return put_actions(answer->old.names, answer->now.names, arena, &ret_change->rights, err);
}

sync_status delegation_event_make(const struct delegation_known *known,
                                  const struct capture_item *item, unsigned part,
                                  struct sync_arena *arena, bool *ret_present,
                                  struct delegation_change *ret_change, struct sync_error *err)
{
    const struct delegation_row *row = item->row;
    const struct delegation_answer *answer = item->answer;
    struct delegation_change change = {.source = DELEGATION_A3, .op = DELEGATION_OP_NONE};
    sync_status status = SYNC_OK;
    put_actor(known, item, &change);
    if (row->act == DELEGATION_ROW_CHANGED) {
        bool anew = is_moved(row) || answer->old.missing;
        status = anew ? put_anew(row, answer, part, arena, &change, err)
                      : put_difference(row, answer, part, arena, &change, err);
    } else if (part == 0 && row->act == DELEGATION_ROW_INSERTED) {
        status = put_grant(row, answer, arena, &change, err);
    } else if (part == 0) {
        put_key(row, &answer->edge, &answer->object, &row->place, &change);
        change.op = DELEGATION_REVOKE_ALL;
    }
    /* An empty list would mean nothing at best: it is left out. */
    *ret_present = change.op == DELEGATION_REVOKE_ALL || change.rights.count > 0;
    *ret_change = change;
    return status;
}
