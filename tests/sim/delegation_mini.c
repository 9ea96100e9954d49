/* The one key of the enumerators: start, decide, compare, print. */
#include "delegation_mini.h"

#include <inttypes.h>

void mini_world(struct delegation_world *ret_world)
{
    world_start(ret_world);
}

void mini_start(struct mini *m)
{
    memset(m, 0, sizeof *m);
    m->key.name.kind = DELEGATION_INSTANCE;
    m->key.name.from = world_f;
    m->key.name.to = world_k;
    (void)snprintf(m->key.name.target, sizeof m->key.name.target, "messages");
    (void)snprintf(m->key.name.instance, sizeof m->key.name.instance, "%s", WORLD_URN);
    m->key.from_type = DELEGATION_TYPE_OTHER;
    m->key.ref_capacity = MINI_REFS;
    m->key.mark_capacity = MINI_MARKS;
    m->key.right_capacity = 4;
}

const char *mini_take(struct delegation_world *w, struct mini *m,
                      const struct delegation_change *change)
{
    const struct sync_processor *p = &sync_processor_delegation;
    static const struct sync_context ctx = {.appended_us = 0};
    struct sync_error err = {.text = ""};
    m->key.refs = m->refs;
    m->key.marks = m->marks;
    m->key.rights = m->rights;
    w->state.keys = &m->key;
    w->state.key_count = 1;
    w->effects.count = 0;
    if (!sync_is_ok(p->fold(&p->routes[0], &w->state, change, &ctx, &w->fold, &w->effects, &err))) {
        (void)fprintf(stderr, "%s\n", err.text);
        abort();
    }
    return w->fold.rule;
}

unsigned mini_effective(const struct mini *m, uint64_t set)
{
    unsigned bits = 0;
    for (int right = 0; right < m->key.right_count; right++) {
        if ((set >> right & 1) != 0) {
            bits |= strcmp(m->rights[right], "read") == 0 ? 1U : 2U;
        }
    }
    return bits;
}

static const char *right_name(const struct mini *m, int right)
{
    return right < 0 ? "*" : m->rights[right];
}

static bool ref_equal(const struct mini *a, const struct delegation_ref *x, const struct mini *b,
                      const struct delegation_ref *y)
{
    return strcmp(right_name(a, x->right), right_name(b, y->right)) == 0 &&
           x->source == y->source && strcmp(x->ref, y->ref) == 0 && x->op == y->op &&
           x->present == y->present && x->seq == y->seq && x->op_time == y->op_time &&
           x->revoke_time == y->revoke_time && x->human_time == y->human_time &&
           x->present_seq == y->present_seq && x->echo_seq == y->echo_seq;
}

static bool mark_equal(const struct mini *a, const struct delegation_mark *x, const struct mini *b,
                       const struct delegation_mark *y)
{
    return strcmp(right_name(a, x->right), right_name(b, y->right)) == 0 &&
           x->source == y->source && x->all_seq == y->all_seq && x->all_time == y->all_time &&
           x->cut_time == y->cut_time;
}

bool mini_equal(const struct mini *a, const struct mini *b, bool whole)
{
    if (a->key.ref_count != b->key.ref_count || a->key.mark_count != b->key.mark_count ||
        mini_effective(a, a->key.effective) != mini_effective(b, b->key.effective)) {
        return false;
    }
    for (size_t i = 0; i < a->key.ref_count; i++) {
        bool found = false;
        for (size_t k = 0; k < b->key.ref_count && !found; k++) {
            found = ref_equal(a, &a->refs[i], b, &b->refs[k]);
        }
        if (!found) {
            return false;
        }
    }
    for (size_t i = 0; i < a->key.mark_count; i++) {
        bool found = false;
        for (size_t k = 0; k < b->key.mark_count && !found; k++) {
            found = mark_equal(a, &a->marks[i], b, &b->marks[k]);
        }
        if (!found) {
            return false;
        }
    }
    return !whole || (a->key.version == b->key.version && a->key.held_a3 == b->key.held_a3 &&
                      a->key.has_left == b->key.has_left && a->key.has_open == b->key.has_open &&
                      a->key.open_set == b->key.open_set && a->key.left_set == b->key.left_set);
}

static void print_number(const char *name, int64_t value)
{
    if (value != DELEGATION_NEVER) {
        printf(" %s %" PRId64, name, value);
    }
}

void mini_print(const struct mini *m)
{
    printf("  effective %u, version %" PRId64 "\n", mini_effective(m, m->key.effective),
           m->key.version);
    for (size_t i = 0; i < m->key.ref_count; i++) {
        const struct delegation_ref *r = &m->refs[i];
        static const char *const ops[] = {"granted", "revoked"};
        printf("  A%d %s ref %s %s%s", r->source + 2, right_name(m, r->right), r->ref,
               r->op < 2 ? ops[r->op] : "echoed", r->present ? " present" : "");
        print_number("seq", r->seq);
        print_number("time", r->op_time);
        print_number("revoked at", r->revoke_time);
        print_number("present seq", r->present_seq);
        print_number("echo seq", r->echo_seq);
        printf("\n");
    }
    for (size_t i = 0; i < m->key.mark_count; i++) {
        const struct delegation_mark *k = &m->marks[i];
        printf("  A%d %s mark", k->source + 2, right_name(m, k->right));
        print_number("all seq", k->all_seq);
        print_number("all time", k->all_time);
        print_number("cut", k->cut_time);
        printf("\n");
    }
}

uint64_t mini_random(uint64_t *seed)
{
    *seed += 0x9e3779b97f4a7c15ULL;
    uint64_t value = *seed;
    value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9ULL;
    value = (value ^ value >> 27) * 0x94d049bb133111ebULL;
    return value ^ value >> 31;
}
