/*
 * A small world for delegations, shared by unit tests and enumerators: tables of the shape of the
 * data files, parties F, K, G, two resources, and a state with room. Events are written in a line.
 * Not here: what is expected of them.
 */
#ifndef TESTS_SUPPORT_DELEGATION_WORLD_H
#define TESTS_SUPPORT_DELEGATION_WORLD_H

#include <altinn_sync/delegation.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define WORLD_KEYS    16
#define WORLD_REFS    24
#define WORLD_MARKS   10
#define WORLD_RIGHTS  8
#define SECOND        1000000LL
#define NO_TIME       (-1LL)
#define AT_CAPTURE(s) (s)

static const struct delegation_right_row world_rights[] = {
    {DELEGATION_CLASS_CORRESPONDENCE, "read", "read", true},
    {DELEGATION_CLASS_CORRESPONDENCE, "write", "read", false},
    {DELEGATION_CLASS_CORRESPONDENCE, "archiveread", "read", false},
    {DELEGATION_CLASS_CORRESPONDENCE, "archivedelete", "read", false},
    {DELEGATION_CLASS_MESSAGE, "read", "read", true},
    {DELEGATION_CLASS_MESSAGE, "subscribe", "subscribe", true},
    {DELEGATION_CLASS_MESSAGE, "write", "write", true},
    {DELEGATION_CLASS_MESSAGE, "sign", "sign", true},
    {DELEGATION_CLASS_OTHER, "read", "read", true},
    {DELEGATION_CLASS_OTHER, "write", "write", true},
};
static const struct delegation_package_row world_packages[] = {
    {"hadm", "urn:altinn:accesspackage:hovedadministrator", DELEGATION_ANY, "", DELEGATION_NEVER},
    {"a0239", "urn:altinn:accesspackage:med", DELEGATION_ANY, "regnskapsforer", DELEGATION_NEVER},
    {"a0282", "urn:altinn:accesspackage:skatt", DELEGATION_ANY, "", 1000 * SECOND},
    {"admai", "urn:altinn:accesspackage:person", DELEGATION_PERSON, "", DELEGATION_NEVER},
    {"admai", "urn:altinn:accesspackage:annen", DELEGATION_NOT_PERSON, "", DELEGATION_NEVER},
    {"apiadm", "urn:altinn:accesspackage:felles", DELEGATION_ANY, "", DELEGATION_NEVER},
    {"apiadmnuf", "urn:altinn:accesspackage:felles", DELEGATION_ANY, "", DELEGATION_NEVER},
};
static const struct delegation_role_row world_roles[] = {
    {"hadm", {{1}}, " best dagl "}, {"a0239", {{2}}, " regn "},  {"a0282", {{3}}, " priv "},
    {"admai", {{4}}, " dagl "},     {"apiadm", {{5}}, " dagl "}, {"apiadmnuf", {{6}}, " knuf "},
};
static const struct delegation_tables world_tables = {
    .rights = world_rights,
    .right_count = sizeof world_rights / sizeof world_rights[0],
    .packages = world_packages,
    .package_count = sizeof world_packages / sizeof world_packages[0],
    .roles = world_roles,
    .role_count = sizeof world_roles / sizeof world_roles[0],
    .skew_us = 2 * SECOND,
};

static const struct sync_uuid world_f = {{0xf0}};
static const struct sync_uuid world_k = {{0x70}};
static const struct sync_uuid world_g = {{0x60}};

#define WORLD_SERVICE  0 /* 5190/2, a correspondence service */
#define WORLD_APP      1 /* app_skd_mva, no service */
#define WORLD_MESSAGES 2 /* target of message instances */

struct world_rows {
    struct delegation_ref refs[WORLD_REFS];
    struct delegation_mark marks[WORLD_MARKS];
    char rights[WORLD_RIGHTS][DELEGATION_RIGHT_SIZE];
};

struct delegation_world {
    struct delegation_state state;
    struct delegation_tables tables;
    struct delegation_key keys[WORLD_KEYS];
    struct world_rows rows[WORLD_KEYS];
    struct delegation_scope scopes[4];
    struct delegation_party parties[4];
    struct delegation_resource resources[3];
    struct delegation_alias aliases[2];
    struct delegation_seen seen[32];
    struct sync_effects effects; /* of the last decision */
    struct sync_fold fold;
};

/* Lists of texts are made once and kept for the run, as a record keeps its bytes. */
struct world_list {
    char joined[300];
    uint8_t room[300];
    struct sync_texts texts;
};
static struct world_list world_lists[256];
static size_t world_list_count;

static inline struct sync_texts world_texts(const char *joined)
{
    joined = joined == NULL ? "" : joined;
    for (size_t i = 0; i < world_list_count; i++) {
        if (strcmp(world_lists[i].joined, joined) == 0) {
            return world_lists[i].texts;
        }
    }
    struct world_list *list = &world_lists[world_list_count];
    if (++world_list_count == 256 || strlen(joined) >= sizeof list->joined) {
        abort();
    }
    (void)snprintf(list->joined, sizeof list->joined, "%s", joined);
    struct sync_bytes items[64];
    size_t count = 0;
    for (const char *at = list->joined; *at != '\0';) {
        const char *end = strchr(at, ',');
        size_t size = end == NULL ? strlen(at) : (size_t)(end - at);
        items[count++] = (struct sync_bytes){(const uint8_t *)at, size};
        at += size + (end != NULL);
    }
    if (!sync_texts_make(items, count, list->room, sizeof list->room, &list->texts)) {
        abort();
    }
    return list->texts;
}

static inline void world_link(struct delegation_world *w)
{
    for (size_t i = 0; i < WORLD_KEYS; i++) {
        w->keys[i].refs = w->rows[i].refs;
        w->keys[i].marks = w->rows[i].marks;
        w->keys[i].rights = w->rows[i].rights;
    }
    w->state.tables = &w->tables;
    w->state.keys = w->keys;
    w->state.scopes = w->scopes;
    w->state.parties = w->parties;
    w->state.resources = w->resources;
    w->state.aliases = w->aliases;
    w->state.alias_capacity = sizeof w->aliases / sizeof w->aliases[0];
    w->state.seen = w->seen;
}

static inline void world_start(struct delegation_world *w)
{
    memset(w, 0, sizeof *w);
    w->tables = world_tables;
    w->parties[0] = (struct delegation_party){world_f, 500, 0, DELEGATION_TYPE_OTHER};
    w->parties[1] = (struct delegation_party){world_k, 700, 701, DELEGATION_TYPE_PERSON};
    w->parties[2] = (struct delegation_party){world_g, 600, 0, DELEGATION_TYPE_OTHER};
    w->state.party_count = 3;
    static const struct {
        const char *id;
        enum delegation_resource_type type;
        const char *code;
    } kinds[] = {{"skd-migratedcorrespondence-5190-2", DELEGATION_RESOURCE_CORRESPONDENCE, "5190"},
                 {"app_skd_mva", DELEGATION_RESOURCE_OTHER, NULL},
                 {"messages", DELEGATION_RESOURCE_CORRESPONDENCE, NULL}};
    static const char *const actions[] = {"read", "write", "sign", "subscribe"};
    for (size_t i = 0; i < 3; i++) {
        struct delegation_resource *r = &w->resources[i];
        r->type = kinds[i].type;
        r->phase = DELEGATION_SYNC;
        r->freeze_us = DELEGATION_NEVER;
        (void)snprintf(r->id, sizeof r->id, "%s", kinds[i].id);
        if (kinds[i].code != NULL) {
            r->has_service = true;
            r->edition = 2;
            (void)snprintf(r->service_code, sizeof r->service_code, "%s", kinds[i].code);
        }
        r->has_actions = true;
        for (size_t k = 0; k < 4; k++) {
            (void)snprintf(r->actions[r->action_count++], DELEGATION_RIGHT_SIZE, "%s", actions[k]);
        }
    }
    w->state.resource_count = 3;
    world_link(w);
}

static inline void world_copy(const struct delegation_world *w, struct delegation_world *ret_copy)
{
    *ret_copy = *w;
    world_link(ret_copy);
}

/* Slot of a key, made when it is not there: what the store's load does. */
static inline struct delegation_key *world_key(struct delegation_world *w,
                                               const struct delegation_key_name *name)
{
    struct delegation_key *key = delegation_key_find(&w->state, name);
    if (key != NULL) {
        return key;
    }
    if (w->state.key_count == WORLD_KEYS) {
        abort();
    }
    key = &w->keys[w->state.key_count];
    memset(key, 0, sizeof *key);
    key->name = *name;
    key->id.bytes[15] = (uint8_t)++w->state.key_count;
    key->from_type = DELEGATION_TYPE_OTHER;
    key->ref_capacity = WORLD_REFS;
    key->mark_capacity = WORLD_MARKS;
    key->right_capacity = WORLD_RIGHTS;
    world_link(w);
    return key;
}

static inline struct delegation_name world_party(const struct sync_uuid *id)
{
    return (struct delegation_name){.present = true, .has_uuid = true, .uuid = *id};
}

/* An event with the parts that all have; time_s = NO_TIME: the source tells none. */
static inline struct delegation_change world_event(const char *stream, int64_t seq,
                                                   enum delegation_kind kind, enum delegation_op op,
                                                   int64_t time_s)
{
    struct delegation_change c;
    memset(&c, 0, sizeof c);
    c.stream = sync_bytes_text(stream);
    c.source = stream[0] == 's' ? DELEGATION_SYS : stream[1] == '2' ? DELEGATION_A2 : DELEGATION_A3;
    c.weak = strncmp(stream, "a2.rule", 7) == 0 || strncmp(stream, "a2.message", 10) == 0;
    c.seq = seq;
    c.kind = kind;
    c.op = op;
    c.from = world_party(&world_f);
    c.to = world_party(&world_k);
    c.has_event_time = time_s != NO_TIME;
    c.event_time_us = c.has_event_time ? time_s * SECOND : 0;
    c.capture_time_us = (time_s == NO_TIME ? 0 : time_s) * SECOND;
    c.by = DELEGATION_HUMAN;
    return c;
}

static inline void world_target(struct delegation_change *c, enum delegation_target_kind kind,
                                const char *id)
{
    c->has_target = true;
    c->has_target_id = true;
    c->target_kind = kind;
    c->target_id = sync_bytes_text(id);
}

/* A push of a2.rule on service 5190/2. */
static inline struct delegation_change world_rule(int64_t seq, enum delegation_op op,
                                                  const char *rights, int64_t time_s)
{
    struct delegation_change c = world_event("a2.rule.1", seq, DELEGATION_SINGLE, op, time_s);
    c.has_target = c.has_service_code = c.has_edition = true;
    c.target_kind = DELEGATION_TARGET_SERVICE;
    c.service_code = sync_bytes_text("5190");
    c.edition = 2;
    c.rights = world_texts(rights);
    return c;
}

/* A change of Altinn 3 on the same resource. */
static inline struct delegation_change world_a3(int64_t seq, enum delegation_op op,
                                                const char *rights, int64_t time_s)
{
    struct delegation_change c = world_event("a3.change.1", seq, DELEGATION_SINGLE, op, time_s);
    world_target(&c, DELEGATION_TARGET_RESOURCE, "skd-migratedcorrespondence-5190-2");
    c.rights = world_texts(rights);
    return c;
}

#define WORLD_URN "urn:altinn:correspondence-id:0196a3f0-0000-7000-8000-000000000001"

/* A rule of one message; refs are rule ids. stream a2.message or a3.change. */
static inline struct delegation_change world_message(const char *stream, int64_t seq,
                                                     enum delegation_op op, const char *rights,
                                                     const char *refs, int64_t time_s)
{
    struct delegation_change c = world_event(stream, seq, DELEGATION_INSTANCE, op, time_s);
    world_target(&c, DELEGATION_TARGET_RESOURCE, "messages");
    c.has_instance = true;
    c.instance = sync_bytes_text(WORLD_URN);
    c.rights = world_texts(rights);
    c.refs = world_texts(refs);
    return c;
}

/* A role event; facilitator NULL = none. */
static inline struct delegation_change world_role(int64_t seq, enum delegation_op op,
                                                  const char *role,
                                                  const struct sync_uuid *facilitator,
                                                  int64_t time_s)
{
    struct delegation_change c = world_event("a2.role.1", seq, DELEGATION_ROLE, op, time_s);
    world_target(&c, DELEGATION_TARGET_ROLE, role);
    c.rights = world_texts(op == DELEGATION_REVOKE_ALL ? NULL : "*");
    if (facilitator != NULL) {
        c.facilitator = world_party(facilitator);
    }
    return c;
}

static inline struct delegation_change world_role_a3(int64_t seq, enum delegation_kind kind,
                                                     enum delegation_op op, const char *target,
                                                     int64_t time_s)
{
    struct delegation_change c = world_event("a3.change.1", seq, kind, op, time_s);
    world_target(&c, kind == DELEGATION_ROLE ? DELEGATION_TARGET_ROLE : DELEGATION_TARGET_PACKAGE,
                 target);
    c.rights = world_texts(op == DELEGATION_REVOKE_ALL ? NULL : "*");
    return c;
}

static inline void world_origin(struct delegation_change *c, enum delegation_source source,
                                int64_t seq)
{
    c->has_origin = c->has_origin_stream = c->has_origin_seq = true;
    c->origin_source = source;
    c->origin_stream = sync_bytes_text(source == DELEGATION_A2 ? "a2.rule.1" : "a3.change.1");
    c->origin_seq = seq;
}

static inline void world_snapshot(struct delegation_change *c, int64_t position)
{
    c->has_snapshot_id = c->has_snapshot_pos = true;
    c->snapshot_id.bytes[0] = 9;
    c->snapshot_pos = position;
}

/* Decides one event as the runtime would: intake, slots, fold. */
static inline const char *world_take_released(struct delegation_world *w,
                                              const struct delegation_change *c, bool released)
{
    static const enum sync_system systems[] = {SYNC_SYSTEM_ALTINN2, SYNC_SYSTEM_ALTINN3,
                                               SYNC_SYSTEM_SYS};
    const struct sync_processor *p = &sync_processor_delegation;
    struct sync_error err = {.text = ""};
    struct sync_key key = {.size = 0};
    (void)!sync_is_ok(p->key(c, &key, &err));
    struct sync_context ctx = {.appended_us = c->capture_time_us,
                               .topic_system = systems[c->source],
                               .key = {(const uint8_t *)key.text, key.size},
                               .released = released};
    w->effects.count = 0;
    w->fold = (struct sync_fold){.rule = NULL};
    if (p->intake(&p->routes[0], c, &ctx, &w->fold)) {
        return w->fold.rule;
    }
    struct delegation_key_name names[DELEGATION_KEYS_MAX];
    size_t count = delegation_keys_of(&w->state, c, names);
    for (size_t i = 0; i < count; i++) {
        (void)world_key(w, &names[i]);
    }
    if (!sync_is_ok(p->fold(&p->routes[0], &w->state, c, &ctx, &w->fold, &w->effects, &err))) {
        (void)fprintf(stderr, "%s\n", err.text);
        abort();
    }
    return w->fold.rule;
}

static inline const char *world_take(struct delegation_world *w, struct delegation_change c)
{
    return world_take_released(w, &c, false);
}

/* Effective rights of a key, in order of the alphabet, joined by commas. */
static inline const char *world_set_text(const struct delegation_key *key, uint64_t set)
{
    static char texts[4][256];
    static int next;
    static const char *const order[] = {"*", "archiveread", "read", "sign", "subscribe", "write"};
    char *text = texts[next++ % 4];
    text[0] = '\0';
    for (size_t i = 0; key != NULL && i < sizeof order / sizeof order[0]; i++) {
        for (int right = 0; right < key->right_count; right++) {
            if ((set >> right & 1) != 0 && strcmp(key->rights[right], order[i]) == 0) {
                size_t used = strlen(text);
                (void)snprintf(text + used, 256 - used, "%s%s", used > 0 ? "," : "", order[i]);
            }
        }
    }
    return text;
}

#endif
