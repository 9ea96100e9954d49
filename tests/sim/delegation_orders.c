/*
 * Small worlds of one key, over the code that ships: P1 (two sources in any interleaving end equal,
 * and as the reference says), P2 (any permutation: a newest revoke leaves no access), P3 (a
 * replayed window changes nothing), DL-96 (a snapshot anywhere among live events). Exhaustive; then
 * random schedules of more events. Prints the world of the first violation, and the seed.
 */
#include "delegation_mini.h"
#include "delegation_oracle.h"

#include <inttypes.h>

#define A2_MAX 3
#define A3_MAX 2
#define SKEW_S 2

struct shape {
    const char *text;
    enum delegation_op op;
    const char *rights, *refs;
    unsigned bits;
    int ref;
    bool human;
};

static const struct shape a2_shapes[] = {
    {"grant read by 501", DELEGATION_GRANT, "read", "501", 1, 0, true},
    {"grant read by 502", DELEGATION_GRANT, "read", "502", 1, 1, true},
    {"grant read, sign by 501", DELEGATION_GRANT, "read,sign", "501", 3, 0, true},
    {"revoke 501", DELEGATION_REVOKE, NULL, "501", 0, 0, true},
    {"machine revokes 501", DELEGATION_REVOKE, NULL, "501", 0, 0, false},
    {"revoke 502", DELEGATION_REVOKE, NULL, "502", 0, 1, true},
    {"revoke sign of 501", DELEGATION_REVOKE, "sign", "501", 2, 0, true},
    {"revoke all", DELEGATION_REVOKE_ALL, NULL, NULL, 0, -1, true},
};
static const struct shape a3_shapes[] = {
    {"grant read", DELEGATION_GRANT, "read", NULL, 1, 0, true},
    {"grant sign", DELEGATION_GRANT, "sign", NULL, 2, 0, true},
    {"revoke read", DELEGATION_REVOKE, "read", NULL, 1, -1, true},
    {"delete", DELEGATION_REVOKE_ALL, NULL, NULL, 0, -1, true},
    {"machine deletes", DELEGATION_REVOKE_ALL, NULL, NULL, 0, -1, false},
};
#define A2_SHAPES (sizeof a2_shapes / sizeof a2_shapes[0])
#define A3_SHAPES (sizeof a3_shapes / sizeof a3_shapes[0])

/* Times inside the skew of each other, and outside: two for the largest worlds, three for others.
 */
static const long two_times_s[] = {100, 103};
static const long three_times_s[] = {100, 101, 110};

static struct delegation_world world;
static uint64_t worlds, folds;
static uint64_t seed;

struct happening {
    const struct shape *shape;
    long time_s;
    struct delegation_change change;
};

static void happen(struct happening *h, bool a2, size_t shape, long time_s, int64_t seq)
{
    h->shape = a2 ? &a2_shapes[shape] : &a3_shapes[shape];
    h->time_s = time_s;
    h->change = world_message(a2 ? "a2.message.1" : "a3.change.1", seq, h->shape->op,
                              h->shape->rights, h->shape->refs, time_s);
    h->change.by = h->shape->human ? DELEGATION_HUMAN : DELEGATION_MACHINE;
}

static void take(struct mini *m, const struct happening *h)
{
    (void)mini_take(&world, m, &h->change);
    folds++;
}

static void oracle_feed(struct oracle_side *side, const struct happening *h, bool weak)
{
    static const enum oracle_op ops[] = {ORACLE_GRANT, ORACLE_REVOKE, ORACLE_REVOKE_ALL};
    struct oracle_event event = {.op = ops[h->shape->op],
                                 .rights = h->shape->bits,
                                 .ref = h->shape->ref,
                                 .human = h->shape->human,
                                 .time_s = h->time_s};
    oracle_take(side, &event, weak);
}

static void print_events(const char *side, const struct happening *events, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        printf("  %s %" PRId64 ": %s at %ld\n", side, events[i].change.seq, events[i].shape->text,
               events[i].time_s);
    }
}

/* P1 and P3. */

struct lattice {
    struct happening a2[A2_MAX], a3[A3_MAX];
    struct mini nodes[A2_MAX + 1][A3_MAX + 1];
    size_t a2_count, times;
    const long *times_s;
};

static bool broken(const struct lattice *l, size_t i, size_t k, const char *what)
{
    printf("VIOLATION: %s\n", what);
    print_events("A2", l->a2, i);
    print_events("A3", l->a3, k);
    mini_print(&l->nodes[i][k]);
    return false;
}

static bool check_oracle(const struct lattice *l, size_t i, size_t k)
{
    struct oracle_side a2, a3;
    oracle_side_start(&a2);
    oracle_side_start(&a3);
    for (size_t n = 0; n < i; n++) {
        oracle_feed(&a2, &l->a2[n], true);
    }
    for (size_t n = 0; n < k; n++) {
        oracle_feed(&a3, &l->a3[n], false);
    }
    const struct mini *m = &l->nodes[i][k];
    return mini_effective(m, m->key.effective) == oracle_effective(&a2, &a3, SKEW_S);
}

/* One node, reached by either source's last event; both ways must end equal. */
static bool reach(struct lattice *l, size_t i, size_t k)
{
    struct mini *node = &l->nodes[i][k];
    if (i > 0) {
        *node = l->nodes[i - 1][k];
        take(node, &l->a2[i - 1]);
    }
    if (k > 0) {
        struct mini other = l->nodes[i][k - 1];
        take(&other, &l->a3[k - 1]);
        if (i > 0 && !mini_equal(node, &other, false)) {
            mini_print(&other);
            return broken(l, i, k, "P1: two interleavings differ");
        }
        *node = other;
    }
    return check_oracle(l, i, k) || broken(l, i, k, "P1: not what the reference says");
}

/* P3: any window of one interleaving, again. */
static bool replay(struct lattice *l, size_t i, size_t k)
{
    const struct happening *line[A2_MAX + A3_MAX];
    size_t count = 0;
    for (size_t n = 0; n < i || n < k; n++) {
        if (n < i) {
            line[count++] = &l->a2[n];
        }
        if (n < k) {
            line[count++] = &l->a3[n];
        }
    }
    for (size_t from = 0; from < count; from++) {
        struct mini m = l->nodes[i][k];
        for (size_t to = from; to < count; to++) {
            take(&m, line[to]);
            if (!mini_equal(&m, &l->nodes[i][k], true)) {
                return broken(l, i, k, "P3: a replay changed something");
            }
        }
    }
    return true;
}

static bool enumerate_a3(struct lattice *l, size_t k)
{
    for (size_t i = 0; i <= l->a2_count; i++) {
        if (i + k > 0 && !reach(l, i, k)) {
            return false;
        }
    }
    worlds++;
    if ((k < A3_MAX || worlds % 16 == 0) && !replay(l, l->a2_count, k)) {
        return false;
    }
    if (k == A3_MAX) {
        return true;
    }
    for (size_t shape = 0; shape < A3_SHAPES; shape++) {
        for (size_t t = 0; t < l->times; t++) {
            happen(&l->a3[k], false, shape, l->times_s[t], (int64_t)k + 1);
            if (!enumerate_a3(l, k + 1)) {
                return false;
            }
        }
    }
    return true;
}

static bool enumerate_a2(struct lattice *l, size_t i)
{
    if (i == l->a2_count) {
        return enumerate_a3(l, 0);
    }
    for (size_t shape = 0; shape < A2_SHAPES; shape++) {
        for (size_t t = 0; t < l->times; t++) {
            happen(&l->a2[i], true, shape, l->times_s[t], (int64_t)i + 1);
            if (!enumerate_a2(l, i + 1)) {
                return false;
            }
        }
    }
    return true;
}

static bool prove_p1(size_t a2_max, const long *times, size_t time_count)
{
    static struct lattice l;
    l.times = time_count;
    l.times_s = times;
    mini_start(&l.nodes[0][0]);
    worlds = folds = 0;
    for (l.a2_count = 1; l.a2_count <= a2_max; l.a2_count++) {
        if (!enumerate_a2(&l, 0)) {
            return false;
        }
    }
    printf("P1, P3: %zu + %d events, %zu times: %" PRIu64 " worlds, %" PRIu64 " decisions, equal\n",
           a2_max, A3_MAX, time_count, worlds, folds);
    return true;
}

/* P2: one source, its order broken. */

#define P2_MAX 4

static bool touches(const struct shape *shape, int right, int ref)
{
    bool right_meant = shape->bits == 0 || (shape->bits >> right & 1) != 0;
    return right_meant && (shape->ref < 0 || shape->ref == ref);
}

static bool newest_is_revoke(const struct happening *events, size_t count, int right, int ref)
{
    const struct happening *newest = NULL;
    for (size_t i = 0; i < count; i++) {
        if (touches(events[i].shape, right, ref) &&
            (newest == NULL || events[i].change.seq > newest->change.seq)) {
            newest = &events[i];
        }
    }
    return newest == NULL || newest->shape->op != DELEGATION_GRANT;
}

static bool check_p2(struct mini *m, const struct happening *events, size_t count, bool a2)
{
    static const char *const names[2] = {"read", "sign"};
    static const char *const refs[2] = {"501", "502"};
    for (size_t i = 0; i < m->key.ref_count; i++) {
        const struct delegation_ref *row = &m->refs[i];
        if (row->right < 0 || !delegation_is_active(&world.state, &m->key, row)) {
            continue;
        }
        int right = strcmp(m->rights[row->right], names[0]) == 0 ? 0 : 1;
        int ref = a2 && strcmp(row->ref, refs[0]) != 0 ? 1 : 0;
        if (newest_is_revoke(events, count, right, ref)) {
            printf("VIOLATION: P2: access by a ref whose newest event is a revoke\n");
            print_events(a2 ? "A2" : "A3", events, count);
            mini_print(m);
            return false;
        }
    }
    return true;
}

/* Each event in each place: every permutation of every choice is one path. */
static bool enumerate_p2(const struct mini *before, struct happening *events, size_t count,
                         unsigned free_seqs, bool a2)
{
    size_t shapes = a2 ? A2_SHAPES : A3_SHAPES;
    for (int64_t seq = 1; seq <= P2_MAX; seq++) {
        for (size_t shape = 0; (free_seqs >> seq & 1) != 0 && shape < shapes; shape++) {
            /* Times follow the source's order in one half of the worlds, and not in the other. */
            long time_s = 100 + 10 * (long)(shape % 2 == 0 ? seq : P2_MAX - seq);
            struct mini m = *before;
            happen(&events[count], a2, shape, time_s, seq);
            take(&m, &events[count]);
            worlds++;
            if (!check_p2(&m, events, count + 1, a2)) {
                return false;
            }
            if (count + 1 < P2_MAX &&
                !enumerate_p2(&m, events, count + 1, free_seqs & ~(1U << seq), a2)) {
                return false;
            }
        }
    }
    return true;
}

static bool prove_p2(void)
{
    struct happening events[P2_MAX];
    struct mini start;
    mini_start(&start);
    worlds = 0;
    bool good =
        enumerate_p2(&start, events, 0, ~0U, true) && enumerate_p2(&start, events, 0, ~0U, false);
    if (good) {
        printf("P2: %" PRIu64 " orders, no access after a newest revoke\n", worlds);
    }
    return good;
}

/* DL-96: rows of a snapshot anywhere among the live events. */

#define LIVE_MAX 4

struct snapshot_world {
    struct happening live[LIVE_MAX];
    struct happening rows[2];
    struct shape row_shapes[2];
    size_t row_count, first_live;
    int64_t position;
    struct happening other; /* an older grant of Altinn 3, which cuts of this side may end */
    unsigned own;           /* read and sign of 501, then of 502, in order */
    unsigned effective;     /* in order, of what reaches us */
};

static unsigned own_active(struct mini *m)
{
    unsigned set = 0;
    m->key.refs = m->refs;
    m->key.marks = m->marks;
    m->key.rights = m->rights;
    world.state.keys = &m->key;
    for (size_t i = 0; i < m->key.ref_count; i++) {
        const struct delegation_ref *row = &m->refs[i];
        if (row->source == DELEGATION_A2 && row->right >= 0 &&
            delegation_is_active(&world.state, &m->key, row)) {
            unsigned bit = strcmp(m->rights[row->right], "read") == 0 ? 0 : 1;
            set |= 1U << (bit + (strcmp(row->ref, "501") == 0 ? 0 : 2));
        }
    }
    return set;
}

/* What the source shows at a position: one row per rule, with all its rights and its own time. */
static void make_rows(struct snapshot_world *s, const struct mini *at)
{
    static const char *const refs[2] = {"501", "502"};
    static const char *const texts[4] = {"", "read", "sign", "read,sign"};
    s->row_count = 0;
    for (int ref = 0; ref < 2; ref++) {
        unsigned bits = 0;
        int64_t time_us = 0;
        for (size_t i = 0; i < at->key.ref_count; i++) {
            const struct delegation_ref *row = &at->refs[i];
            if (row->source == DELEGATION_A2 && row->right >= 0 &&
                strcmp(row->ref, refs[ref]) == 0 && row->present) {
                bits |= strcmp(at->rights[row->right], "read") == 0 ? 1U : 2U;
                time_us = row->op_time > time_us ? row->op_time : time_us;
            }
        }
        if (bits == 0) {
            continue;
        }
        struct happening *h = &s->rows[s->row_count];
        struct shape *shape = &s->row_shapes[s->row_count];
        *shape = (struct shape){"row", DELEGATION_GRANT, texts[bits], refs[ref], bits, ref, true};
        h->shape = shape;
        h->time_s = (long)(time_us / SECOND);
        h->change = world_message("a2.message.1", (int64_t)++s->row_count, DELEGATION_GRANT,
                                  shape->rights, shape->refs, h->time_s);
        world_snapshot(&h->change, s->position);
    }
}

static bool check_snapshot(const struct snapshot_world *s, struct mini *m)
{
    unsigned own = own_active(m);
    unsigned effective = mini_effective(m, m->key.effective);
    if (own == s->own && (effective & ~s->effective) == 0) {
        return true;
    }
    printf(
        "VIOLATION: DL-96: refs %x, in order %x; access %u, in order %u; live from %zu, snapshot "
        "at %" PRId64 "\n",
        own, s->own, effective, s->effective, s->first_live + 1, s->position);
    print_events("A2", s->live, LIVE_MAX);
    print_events("row", s->rows, s->row_count);
    mini_print(m);
    return false;
}

static bool merge_lanes(const struct snapshot_world *s, const struct mini *before, size_t live,
                        size_t row)
{
    struct mini m = *before;
    if (live == LIVE_MAX && row == s->row_count) {
        worlds++;
        return check_snapshot(s, &m);
    }
    if (live < LIVE_MAX) {
        take(&m, &s->live[live]);
        if (!merge_lanes(s, &m, live + 1, row)) {
            return false;
        }
        m = *before;
    }
    if (row < s->row_count) {
        take(&m, &s->rows[row]);
        return merge_lanes(s, &m, live, row + 1);
    }
    return true;
}

/* The same events, each in its place. */
static void in_order(struct snapshot_world *s, const struct mini *start)
{
    struct mini m = *start;
    for (size_t i = s->first_live; i < LIVE_MAX && (int64_t)i < s->position; i++) {
        take(&m, &s->live[i]);
    }
    for (size_t i = 0; i < s->row_count; i++) {
        take(&m, &s->rows[i]);
    }
    for (size_t i = (size_t)s->position; i < LIVE_MAX; i++) {
        take(&m, &s->live[i]);
    }
    s->effective = mini_effective(&m, m.key.effective);
}

static bool try_snapshots(struct snapshot_world *s)
{
    struct mini states[LIVE_MAX + 1];
    mini_start(&states[0]);
    for (size_t i = 0; i < LIVE_MAX; i++) {
        states[i + 1] = states[i];
        take(&states[i + 1], &s->live[i]);
    }
    s->own = own_active(&states[LIVE_MAX]);
    for (size_t at = 0; at <= LIVE_MAX; at++) {
        struct mini shown = states[at];
        for (size_t i = 0; i < shown.key.ref_count; i++) {
            struct delegation_ref *row = &shown.refs[i];
            row->present = row->present && (row->op == DELEGATION_GRANT);
        }
        s->position = (int64_t)at;
        (void)own_active(&shown);
        make_rows(s, &shown);
        for (s->first_live = 0; s->first_live <= at; s->first_live++) {
            struct mini start;
            mini_start(&start);
            take(&start, &s->other);
            in_order(s, &start);
            if (!merge_lanes(s, &start, s->first_live, 0)) {
                return false;
            }
        }
    }
    return true;
}

static bool enumerate_live(struct snapshot_world *s, size_t count)
{
    if (count == LIVE_MAX) {
        return try_snapshots(s);
    }
    for (size_t shape = 0; shape < A2_SHAPES; shape++) {
        happen(&s->live[count], true, shape, 100 + 10 * (long)count, (int64_t)count + 1);
        if (!enumerate_live(s, count + 1)) {
            return false;
        }
    }
    return true;
}

static bool prove_snapshot(void)
{
    static struct snapshot_world s;
    static const struct shape older = {
        "grant read, sign", DELEGATION_GRANT, "read,sign", NULL, 3, 0, true};
    s.other = (struct happening){
        &older, 50, world_message("a3.change.1", 1, DELEGATION_GRANT, "read,sign", NULL, 50)};
    worlds = 0;
    if (!enumerate_live(&s, 0)) {
        return false;
    }
    printf("DL-96: %" PRIu64 " ways of a snapshot among live events, refs as in order\n", worlds);
    return true;
}

/* Random schedules: more events, any interleaving, replays in between. */

static bool random_schedule(void)
{
    enum { EVENTS = 8 };
    struct happening a2[EVENTS], a3[EVENTS];
    struct mini one, two;
    size_t done[2] = {0, 0};
    mini_start(&one);
    mini_start(&two);
    for (size_t i = 0; i < EVENTS; i++) {
        happen(&a2[i], true, mini_random(&seed) % A2_SHAPES, 100 + (long)(mini_random(&seed) % 12),
               (int64_t)i + 1);
        happen(&a3[i], false, mini_random(&seed) % A3_SHAPES, 100 + (long)(mini_random(&seed) % 12),
               (int64_t)i + 1);
        take(&one, &a2[i]);
    }
    for (size_t i = 0; i < EVENTS; i++) {
        take(&one, &a3[i]);
    }
    while (done[0] + done[1] < 2 * (size_t)EVENTS) {
        bool first = done[1] == EVENTS || (done[0] < EVENTS && mini_random(&seed) % 2 == 0);
        take(&two, first ? &a2[done[0]] : &a3[done[1]]);
        done[first ? 0 : 1]++;
        if (mini_random(&seed) % 4 == 0 && done[0] > 0) {
            take(&two, &a2[mini_random(&seed) % done[0]]); /* again, with an empty ledger */
        }
    }
    if (mini_equal(&one, &two, false)) {
        return true;
    }
    printf("VIOLATION: a random schedule differs\n");
    print_events("A2", a2, EVENTS);
    print_events("A3", a3, EVENTS);
    mini_print(&one);
    mini_print(&two);
    return false;
}

static bool prove_random(uint64_t count)
{
    uint64_t first = seed;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t at = seed;
        if (!random_schedule()) {
            printf("seed %" PRIu64 "\n", at);
            return false;
        }
    }
    printf("random: %" PRIu64 " schedules, seed %" PRIu64 "\n", count, first);
    return true;
}

static bool prove_all(bool full)
{
    return prove_p1(2, three_times_s, 3) &&
           (full ? prove_p1(3, three_times_s, 3) : prove_p1(3, two_times_s, 2)) && prove_p2() &&
           prove_snapshot() && prove_random(full ? 1000000 : 50000);
}

/* --full: the larger worlds. p1, p2, snapshot: only that part, as a planted mistake needs it. */
int main(int argc, char **argv)
{
    const char *part = argc > 1 ? argv[1] : "";
    const char *given = getenv("SYNC_SEED");
    seed = given != NULL ? strtoull(given, NULL, 10) : 20260713;
    mini_world(&world);
    bool good = strcmp(part, "p1") == 0         ? prove_p1(2, three_times_s, 3)
                : strcmp(part, "p2") == 0       ? prove_p2()
                : strcmp(part, "snapshot") == 0 ? prove_snapshot()
                                                : prove_all(strcmp(part, "--full") == 0);
    printf("%s\n", good ? "1 passed, 0 failed" : "0 passed, 1 failed");
    return good ? 0 : 1;
}
