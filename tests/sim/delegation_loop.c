/*
 * P4 and the closed loop: both sides are simulated, people act on both, our writes to Altinn 3 are
 * conditional and our commands to Altinn 2 are monotone, late, told twice, and refused once by a
 * bridge that is down: such a command waits again, until a newer one does. When input stops,
 * both sides equal the effective set; no command that gives a right leaves after it has ended
 * (DL-101); the last revoke of all that a side showed leaves nothing. First every schedule of small
 * worlds, then random ones; the seed is printed.
 */
#include "delegation_mini.h"

#include <inttypes.h>

#define ACTS_MAX  4
#define QUEUE_MAX 40
#define RULES_MAX 12
#define STEPS_MAX 200

/* An event on its way from a side to us. */
struct sent {
    enum delegation_op op;
    unsigned rights; /* bits: 1 read, 2 sign */
    int rule;        /* of Altinn 2 */
    int64_t time_s;
    int64_t origin; /* 0 = born, else the number of our write */
    int64_t row;    /* version of Altinn 3's row after it */
};

struct queue {
    struct sent items[QUEUE_MAX];
    size_t first, count;
};

struct loop {
    struct mini m;
    struct queue a2, a3;
    unsigned rules[RULES_MAX]; /* what each rule of Altinn 2 gives; 0 = gone */
    int rule_count;
    unsigned a3_set;
    int64_t a3_row, a3_seen; /* version of the row; what we last saw */
    int64_t a2_version;      /* highest command that Altinn 2 took */
    bool on_the_way;         /* a command has left and has not arrived */
    bool may_fail;           /* the bridge is down once in a schedule */
    bool waits_again;        /* a command has left, had no effect, and stands in the outbox */
    unsigned way_set;
    int64_t way_version;
    int64_t seq[2], writes, now_s;
    struct sent last_echo; /* of Altinn 2, for repeats */
    bool has_echo;
};

enum act {
    A2_GRANT_READ,
    A2_GRANT_SIGN,
    A2_REVOKE_FIRST,
    A2_REVOKE_LAST,
    A3_GRANT_READ,
    A3_GRANT_SIGN,
    A3_REVOKE_READ,
    A3_DELETE,
    ACTS
};
static const char *const act_names[ACTS] = {
    "A2 grants read", "A2 grants sign", "A2 revokes its first rule", "A2 revokes its last rule",
    "A3 grants read", "A3 grants sign", "A3 revokes read",           "A3 deletes the row"};

static struct delegation_world world;
static enum act acts[ACTS_MAX];
static int64_t gaps_s[ACTS_MAX];
static size_t act_count;
static bool bridge_fails; /* once in a schedule; it makes twenty times as many */
static uint64_t paths, seed;
static const char *trail[STEPS_MAX];
static size_t trail_size;

static bool broken(const struct loop *l, const char *what)
{
    printf("VIOLATION: %s\n", what);
    for (size_t i = 0; i < act_count; i++) {
        printf("  act %zu, %" PRId64 " s later: %s\n", i + 1, gaps_s[i], act_names[acts[i]]);
    }
    for (size_t i = 0; i < trail_size; i++) {
        printf("  step %zu: %s\n", i + 1, trail[i]);
    }
    printf("  Altinn 3 holds %u", l->a3_set);
    for (int i = 0; i < l->rule_count; i++) {
        printf(", rule %d gives %u", i + 1, l->rules[i]);
    }
    printf("\n");
    mini_print(&l->m);
    return false;
}

static void send(struct queue *q, struct sent sent)
{
    if (q->count == QUEUE_MAX) {
        abort();
    }
    q->items[q->count++] = sent;
}

static unsigned a2_shows(const struct loop *l)
{
    unsigned set = 0;
    for (int i = 0; i < l->rule_count; i++) {
        set |= l->rules[i];
    }
    return set;
}

/* Our parts. */

static const char *rights_text(unsigned bits)
{
    static const char *const texts[4] = {NULL, "read", "sign", "read,sign"};
    return texts[bits];
}

static unsigned set_of(const struct loop *l, uint64_t set)
{
    return mini_effective(&l->m, set);
}

/* The conditional write: one batch, one change of the row. */
static void write_a3(struct loop *l)
{
    if (!l->m.key.write_a3) {
        return;
    }
    if (l->a3_row != l->a3_seen) {
        delegation_written(&l->m.key, false);
        return;
    }
    unsigned want = set_of(l, l->m.key.held_a3);
    unsigned gone = l->a3_set & ~want;
    unsigned come = want & ~l->a3_set;
    l->a3_set = want;
    l->a3_seen = ++l->a3_row;
    l->writes++;
    struct sent echo = {.time_s = l->now_s, .origin = l->writes, .row = l->a3_row};
    if (come != 0) {
        echo.op = DELEGATION_GRANT;
        echo.rights = come;
        send(&l->a3, echo);
    }
    if (gone != 0) {
        echo.op = want == 0 ? DELEGATION_REVOKE_ALL : DELEGATION_REVOKE;
        echo.rights = want == 0 ? 0 : gone;
        send(&l->a3, echo);
    }
    delegation_written(&l->m.key, true);
}

static void decide(struct loop *l, const struct sent *sent, bool a2)
{
    static char refs[RULES_MAX + 1][16];
    if (a2) {
        (void)snprintf(refs[sent->rule], sizeof refs[0], "%d", 500 + sent->rule);
    }
    struct delegation_change c =
        world_message(a2 ? "a2.message.1" : "a3.change.1", ++l->seq[a2 ? 0 : 1], sent->op,
                      rights_text(sent->rights), a2 ? refs[sent->rule] : NULL, sent->time_s);
    if (sent->origin != 0) {
        world_origin(&c, a2 ? DELEGATION_A3 : DELEGATION_A2, sent->origin);
    }
    (void)mini_take(&world, &l->m, &c);
    for (size_t i = 0; i < world.effects.count; i++) {
        l->waits_again = l->waits_again && !world.effects.items[i].withdraw;
    }
}

/* 10.2: what Altinn 2 will show once all that waits or has left is through is what is wanted. */
static bool check_intention(const struct loop *l)
{
    const struct delegation_key *key = &l->m.key;
    uint64_t coming = key->has_open   ? key->open_set
                      : key->has_left ? key->left_set
                                      : delegation_shown(key, DELEGATION_A2);
    if (key->restores[DELEGATION_A2].parked || coming == key->effective) {
        return true;
    }
    return broken(l, "10.2: the newest word to Altinn 2 is not what is wanted");
}

/* Steps of a schedule. */

static bool person_acts(struct loop *l, size_t index)
{
    enum act act = acts[index];
    l->now_s += gaps_s[index];
    struct sent sent = {.op = DELEGATION_GRANT, .rights = 1, .time_s = l->now_s};
    int rule = -1;
    switch (act) {
    case A2_GRANT_READ:
    case A2_GRANT_SIGN:
        sent.rights = act == A2_GRANT_READ ? 1 : 2;
        sent.rule = l->rule_count + 1;
        l->rules[l->rule_count++] = sent.rights;
        send(&l->a2, sent);
        return true;
    case A2_REVOKE_FIRST:
    case A2_REVOKE_LAST:
        for (int i = 0; i < l->rule_count; i++) {
            bool take = l->rules[i] != 0 && (rule < 0 || act == A2_REVOKE_LAST);
            rule = take ? i : rule;
        }
        if (rule < 0) {
            return false;
        }
        l->rules[rule] = 0;
        sent = (struct sent){.op = DELEGATION_REVOKE, .rule = rule + 1, .time_s = l->now_s};
        send(&l->a2, sent);
        return true;
    case A3_GRANT_READ:
    case A3_GRANT_SIGN:
        sent.rights = act == A3_GRANT_READ ? 1 : 2;
        if ((l->a3_set & sent.rights) != 0) {
            return false;
        }
        l->a3_set |= sent.rights;
        break;
    case A3_REVOKE_READ:
        if ((l->a3_set & 1) == 0) {
            return false;
        }
        l->a3_set &= ~1U;
        sent.op = l->a3_set == 0 ? DELEGATION_REVOKE_ALL : DELEGATION_REVOKE;
        sent.rights = l->a3_set == 0 ? 0 : 1;
        break;
    case A3_DELETE:
        if (l->a3_set == 0) {
            return false;
        }
        l->a3_set = 0;
        sent.op = DELEGATION_REVOKE_ALL;
        sent.rights = 0;
        break;
    case ACTS:
        abort();
    }
    sent.row = ++l->a3_row;
    send(&l->a3, sent);
    return true;
}

static void deliver_a2(struct loop *l)
{
    struct sent sent = l->a2.items[l->a2.first++];
    decide(l, &sent, true);
    write_a3(l);
    if (sent.origin != 0) {
        l->last_echo = sent;
        l->has_echo = true;
    }
}

static void deliver_a3(struct loop *l)
{
    struct sent sent = l->a3.items[l->a3.first++];
    l->a3_seen = sent.row > l->a3_seen ? sent.row : l->a3_seen;
    decide(l, &sent, false);
    write_a3(l);
}

/* The sender takes what waits; DL-101. */
static bool take_command(struct loop *l)
{
    unsigned set = set_of(l, l->m.key.open_set);
    if ((set & ~set_of(l, l->m.key.effective)) != 0) {
        return broken(l, "DL-101: a command gives what has ended");
    }
    l->on_the_way = true;
    l->waits_again = false; /* a newer one leaves, so it never will */
    l->way_set = set;
    l->way_version = l->m.key.open_version;
    delegation_taken(&l->m.key);
    return true;
}

/* The bridge answers 503: nobody knows whether the command took effect; it did not. */
static void fail(struct loop *l)
{
    l->on_the_way = false;
    l->waits_again = true;
    l->may_fail = false;
}

/* What has left goes again while it is the newest, and has not been seen; else it is skipped. */
static void try_again(struct loop *l)
{
    l->waits_again = false;
    l->on_the_way = l->m.key.has_left && !l->m.key.has_open;
}

/* Monotone: equal and lower versions change nothing. What was shown by many rules ends in all. */
static void arrive(struct loop *l)
{
    l->on_the_way = false;
    if (l->way_version <= l->a2_version) {
        return;
    }
    l->a2_version = l->way_version;
    l->writes++;
    unsigned come = l->way_set & ~a2_shows(l);
    for (int i = 0; i < l->rule_count; i++) {
        unsigned gone = l->rules[i] & ~l->way_set;
        if (gone != 0) {
            l->rules[i] &= l->way_set;
            send(&l->a2, (struct sent){.op = DELEGATION_REVOKE,
                                       .rights = l->rules[i] == 0 ? 0 : gone,
                                       .rule = i + 1,
                                       .time_s = l->now_s,
                                       .origin = l->writes});
        }
    }
    if (come != 0) {
        l->rules[l->rule_count++] = come;
        send(&l->a2, (struct sent){.op = DELEGATION_GRANT,
                                   .rights = come,
                                   .rule = l->rule_count,
                                   .time_s = l->now_s,
                                   .origin = l->writes});
    }
}

static bool check_end(struct loop *l)
{
    unsigned effective = set_of(l, l->m.key.effective);
    if (l->a3_set != effective) {
        return broken(l, "Altinn 3 does not hold the effective set");
    }
    if (a2_shows(l) != effective) {
        return broken(l, "Altinn 2 does not show the effective set");
    }
    if (set_of(l, delegation_shown(&l->m.key, DELEGATION_A2)) != a2_shows(l)) {
        return broken(l, "what Altinn 2 shows is not what we think");
    }
    return true;
}

/* P4: our own output once more, late: nothing changes and nothing is sent. */
static bool check_repeat(const struct loop *l)
{
    struct loop copy = *l;
    if (!l->has_echo) {
        return true;
    }
    decide(&copy, &copy.last_echo, true);
    if (mini_equal(&l->m, &copy.m, true) && world.effects.count == 0 && !copy.m.key.write_a3) {
        return true;
    }
    return broken(l, "P4: a repeated echo changed something");
}

enum step {
    STEP_ACT,
    STEP_A2,
    STEP_A3,
    STEP_TAKE,
    STEP_ARRIVE,
    STEP_FAIL,
    STEP_AGAIN,
    STEP_REPEAT,
    STEPS
};
static const char *const step_names[STEPS] = {"act",
                                              "Altinn 2 reports",
                                              "Altinn 3 reports",
                                              "the command is taken",
                                              "the command arrives",
                                              "the bridge is down",
                                              "the command goes again",
                                              "Altinn 2 repeats its echo"};

static bool can(const struct loop *l, size_t acted, enum step step)
{
    switch (step) {
    case STEP_ACT:
        return acted < act_count;
    case STEP_A2:
        return l->a2.first < l->a2.count;
    case STEP_A3:
        return l->a3.first < l->a3.count;
    case STEP_TAKE:
        return l->m.key.has_open && !l->on_the_way;
    case STEP_ARRIVE:
        return l->on_the_way;
    case STEP_FAIL:
        return l->on_the_way && l->may_fail;
    case STEP_AGAIN:
        return l->waits_again;
    case STEP_REPEAT:
    case STEPS:
        break;
    }
    return false;
}

/* Returns whether all is well; ret_dead: the act could not be done, so this world is another one.
 */
static bool do_step(struct loop *l, size_t *acted, enum step step, bool *ret_dead)
{
    bool good = true;
    trail[trail_size++] = step_names[step];
    switch (step) {
    case STEP_ACT:
        *ret_dead = !person_acts(l, (*acted)++);
        break;
    case STEP_A2:
        deliver_a2(l);
        good = check_intention(l);
        break;
    case STEP_A3:
        deliver_a3(l);
        good = check_intention(l);
        break;
    case STEP_TAKE:
        good = take_command(l);
        break;
    case STEP_ARRIVE:
        arrive(l);
        break;
    case STEP_FAIL:
        fail(l);
        break;
    case STEP_AGAIN:
        try_again(l);
        break;
    case STEP_REPEAT:
        decide(l, &l->last_echo, true);
        write_a3(l);
        break;
    case STEPS:
        abort();
    }
    if (trail_size == STEPS_MAX) {
        return broken(l, "the loop does not end");
    }
    return good;
}

/* Every schedule. */
static bool explore(const struct loop *before, size_t acted)
{
    bool any = false;
    size_t mark = trail_size;
    for (enum step step = STEP_ACT; step < STEP_REPEAT; step++) {
        if (!can(before, acted, step)) {
            continue;
        }
        any = true;
        struct loop l = *before;
        size_t done = acted;
        bool dead = false;
        if (!do_step(&l, &done, step, &dead) || (!dead && !explore(&l, done))) {
            return false;
        }
        trail_size = mark;
    }
    if (any) {
        return true;
    }
    paths++;
    struct loop end = *before;
    return check_end(&end) && check_repeat(&end);
}

static bool random_path(const struct loop *start)
{
    struct loop l = *start;
    size_t acted = 0;
    trail_size = 0;
    for (;;) {
        enum step able[STEPS];
        size_t count = 0;
        for (enum step step = STEP_ACT; step < STEP_REPEAT; step++) {
            if (can(&l, acted, step)) {
                able[count++] = step;
            }
        }
        if (count == 0) {
            break;
        }
        bool dead = false;
        enum step step = able[mini_random(&seed) % count];
        if (l.has_echo && mini_random(&seed) % 8 == 0) {
            step = STEP_REPEAT;
        }
        if (!do_step(&l, &acted, step, &dead)) {
            return false;
        }
    }
    paths++;
    return check_end(&l) && check_repeat(&l);
}

static void start(struct loop *l)
{
    memset(l, 0, sizeof *l);
    mini_start(&l->m);
    l->now_s = 100;
    l->may_fail = bridge_fails;
    trail_size = 0;
}

static bool all_worlds(size_t count, bool exhaustive, size_t at)
{
    if (at == count) {
        struct loop l;
        start(&l);
        act_count = count;
        return exhaustive ? explore(&l, 0) : random_path(&l);
    }
    for (int act = 0; act < ACTS; act++) {
        for (int gap = 0; gap < 2; gap++) {
            acts[at] = (enum act)act;
            gaps_s[at] = gap == 0 ? 10 : 1;
            if (!all_worlds(count, exhaustive, at + 1)) {
                return false;
            }
        }
    }
    return true;
}

int main(int argc, char **argv)
{
    bool full = argc > 1 && strcmp(argv[1], "--full") == 0;
    const char *given = getenv("SYNC_SEED");
    seed = given != NULL ? strtoull(given, NULL, 10) : 20260713;
    uint64_t first = seed;
    mini_world(&world);
    bool good = true;
    for (size_t count = 1; count <= (full ? 3U : 2U) && good; count++) {
        paths = 0;
        bridge_fails = count < 3;
        good = all_worlds(count, true, 0);
        printf("closed loop: %zu acts, every schedule: %" PRIu64 " ends\n", count, paths);
    }
    paths = 0;
    bridge_fails = true;
    for (int turn = 0; turn < (full ? 100 : 4) && good; turn++) {
        good = all_worlds(4, false, 0);
    }
    printf("closed loop: 4 acts, random schedules: %" PRIu64 " ends, seed %" PRIu64 "\n", paths,
           first);
    printf("%s\n", good ? "1 passed, 0 failed" : "0 passed, 1 failed");
    return good ? 0 : 1;
}
