/*
 * P1 and P3 for what one key cannot show: roles that lend to packages and client keys, and Altinn 3
 * acting on all of them. Random schedules: each source's order kept, any interleaving; the
 * effective set, refs and marks of every key must end equal, and a replay must change nothing.
 * Prints the seed.
 */
#include "delegation_mini.h"

#include <inttypes.h>

#define EVENTS 7

static uint64_t seed;

static size_t pick(size_t count)
{
    return (size_t)(mini_random(&seed) % count);
}

static struct delegation_change a2_event(int64_t seq)
{
    static const char *const roles[] = {"HADM", "APIADM", "APIADMNUF", "A0282", "A0239"};
    size_t role = pick(5);
    bool grant = pick(2) == 0;
    int64_t time_s = (int64_t)(995 + pick(12));
    struct delegation_change c = world_role(seq, grant ? DELEGATION_GRANT : DELEGATION_REVOKE,
                                            roles[role], role == 4 ? &world_g : NULL, time_s);
    c.by = pick(3) == 0 && !grant ? DELEGATION_MACHINE : DELEGATION_HUMAN;
    c.has_native_id = true;
    c.native_id = (int64_t)role;
    if (role == 4 && !grant && pick(3) == 0) {
        memset(&c.facilitator, 0, sizeof c.facilitator); /* DL-67 */
    }
    return c;
}

static struct delegation_change a3_event(int64_t seq)
{
    static const char *const targets[] = {"urn:altinn:accesspackage:hovedadministrator",
                                          "urn:altinn:accesspackage:felles",
                                          "urn:altinn:accesspackage:skatt",
                                          "urn:altinn:accesspackage:med",
                                          "urn:altinn:rolecode:hadm",
                                          "urn:altinn:rolecode:a0239"};
    static const enum delegation_kind kinds[] = {DELEGATION_PACKAGE, DELEGATION_PACKAGE,
                                                 DELEGATION_PACKAGE, DELEGATION_CLIENT,
                                                 DELEGATION_ROLE,    DELEGATION_ROLE};
    size_t target = pick(6);
    bool grant = pick(2) == 0;
    struct delegation_change c =
        world_role_a3(seq, kinds[target], grant ? DELEGATION_GRANT : DELEGATION_REVOKE_ALL,
                      targets[target], (int64_t)(995 + pick(12)));
    c.by = pick(3) == 0 && !grant ? DELEGATION_MACHINE : DELEGATION_HUMAN;
    if (kinds[target] == DELEGATION_CLIENT) {
        c.facilitator = world_party(&world_g);
    }
    return c;
}

static bool ref_in(const struct delegation_ref *x, const struct delegation_key *key)
{
    for (size_t i = 0; i < key->ref_count; i++) {
        const struct delegation_ref *y = &key->refs[i];
        if (x->source == y->source && strcmp(x->ref, y->ref) == 0) {
            return x->op == y->op && x->seq == y->seq && x->op_time == y->op_time &&
                   x->present == y->present && x->present_seq == y->present_seq &&
                   x->revoke_time == y->revoke_time && x->human_time == y->human_time;
        }
    }
    return false;
}

static bool mark_in(const struct delegation_mark *x, const struct delegation_key *key)
{
    for (size_t i = 0; i < key->mark_count; i++) {
        const struct delegation_mark *y = &key->marks[i];
        if (x->source == y->source) {
            return x->all_seq == y->all_seq && x->all_time == y->all_time &&
                   x->cut_time == y->cut_time;
        }
    }
    return false;
}

/* Keys without rows were only looked at. */
static bool covered(const struct delegation_world *a, const struct delegation_world *b)
{
    for (size_t i = 0; i < a->state.key_count; i++) {
        const struct delegation_key *key = &a->keys[i];
        const struct delegation_key *other = delegation_key_find(&b->state, &key->name);
        if (key->ref_count + key->mark_count == 0) {
            continue;
        }
        if (other == NULL || key->effective != other->effective ||
            key->ref_count != other->ref_count || key->mark_count != other->mark_count) {
            return false;
        }
        for (size_t k = 0; k < key->ref_count; k++) {
            if (!ref_in(&key->refs[k], other)) {
                return false;
            }
        }
        for (size_t k = 0; k < key->mark_count; k++) {
            if (!mark_in(&key->marks[k], other)) {
                return false;
            }
        }
    }
    return true;
}

static int64_t in_seconds(int64_t time_us)
{
    return time_us / SECOND;
}

static void print_world(const struct delegation_world *w)
{
    for (size_t i = 0; i < w->state.key_count; i++) {
        const struct delegation_key *key = &w->keys[i];
        printf("  kind %d %s: effective %" PRIx64 "\n", (int)key->name.kind, key->name.target,
               key->effective);
        for (size_t k = 0; k < key->ref_count; k++) {
            const struct delegation_ref *r = &key->refs[k];
            printf("    A%d %s op %d seq %" PRId64 " time %" PRId64 " %s\n", r->source + 2, r->ref,
                   r->op, r->seq, in_seconds(r->op_time), r->present ? "present" : "");
        }
        for (size_t k = 0; k < key->mark_count; k++) {
            printf("    A%d mark all %" PRId64 " cut %" PRId64 "\n", key->marks[k].source + 2,
                   key->marks[k].all_seq, in_seconds(key->marks[k].cut_time));
        }
    }
}

/* DL-64: what a key borrows it has only while a role gives it, by that role's own set. */
static bool lent_rightly(const struct delegation_world *w)
{
    for (size_t i = 0; i < w->state.key_count; i++) {
        const struct delegation_key *key = &w->keys[i];
        bool given = key->effective == 0 || key->name.kind == DELEGATION_ROLE;
        for (size_t k = 0; k < key->ref_count && !given; k++) {
            const struct delegation_ref *ref = &key->refs[k];
            given = ref->op == DELEGATION_GRANT &&
                    (ref->lender < 0 || w->keys[ref->lender].effective != 0);
        }
        if (!given) {
            printf("VIOLATION: DL-64: a key keeps what no role lends any more\n");
            print_world(w);
            return false;
        }
    }
    return true;
}

static bool one_schedule(void)
{
    static struct delegation_world one, two;
    struct delegation_change a2[EVENTS], a3[EVENTS];
    world_start(&one);
    world_start(&two);
    for (size_t i = 0; i < EVENTS; i++) {
        a2[i] = a2_event((int64_t)i + 1);
        a3[i] = a3_event((int64_t)i + 1);
    }
    for (size_t i = 0; i < EVENTS; i++) {
        (void)world_take(&one, a2[i]);
    }
    for (size_t i = 0; i < EVENTS; i++) {
        (void)world_take(&one, a3[i]);
    }
    for (size_t i = 0, k = 0; i + k < 2 * (size_t)EVENTS;) {
        bool first = k == EVENTS || (i < EVENTS && pick(2) == 0);
        (void)world_take(&two, first ? a2[i++] : a3[k++]);
        if (pick(4) == 0 && i > 0) {
            (void)world_take(&two, a2[pick(i)]); /* again, with an empty ledger */
        }
        if (!lent_rightly(&two)) {
            return false;
        }
    }
    if (covered(&one, &two) && covered(&two, &one)) {
        return true;
    }
    printf("VIOLATION: two interleavings of roles differ\n");
    for (size_t i = 0; i < EVENTS; i++) {
        printf("  A2 %zu: op %d %.*s%s by %d at %" PRId64 "\n", i + 1, a2[i].op,
               (int)a2[i].target_id.size, (const char *)a2[i].target_id.data,
               a2[i].facilitator.present ? "@G" : "", a2[i].by, in_seconds(a2[i].event_time_us));
    }
    for (size_t i = 0; i < EVENTS; i++) {
        printf("  A3 %zu: op %d %.*s by %d at %" PRId64 "\n", i + 1, a3[i].op,
               (int)a3[i].target_id.size, (const char *)a3[i].target_id.data, a3[i].by,
               in_seconds(a3[i].event_time_us));
    }
    print_world(&one);
    print_world(&two);
    return false;
}

int main(int argc, char **argv)
{
    bool full = argc > 1 && strcmp(argv[1], "--full") == 0;
    const char *given = getenv("SYNC_SEED");
    seed = given != NULL ? strtoull(given, NULL, 10) : 20260713;
    uint64_t first = seed;
    uint64_t count = full ? 1000000 : 20000;
    bool good = true;
    for (uint64_t i = 0; i < count && good; i++) {
        uint64_t at = seed;
        good = one_schedule();
        if (!good) {
            printf("seed %" PRIu64 "\n", at);
        }
    }
    printf("roles: %" PRIu64 " random schedules, seed %" PRIu64 "\n", count, first);
    printf("%s\n", good ? "1 passed, 0 failed" : "0 passed, 1 failed");
    return good ? 0 : 1;
}
