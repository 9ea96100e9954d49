/* Reference: what each side says of its own grants, replayed in its own order, then the union. */
#include "delegation_oracle.h"

static long later(long a, long b)
{
    return a > b ? a : b;
}

void oracle_side_start(struct oracle_side *side)
{
    *side = (struct oracle_side){.every_s = ORACLE_NEVER, .cut_every_s = ORACLE_NEVER};
    for (int i = 0; i < 2; i++) {
        side->whole_s[i] = side->all_s[i] = side->cut_s[i] = ORACLE_NEVER;
        for (int k = 0; k < 2; k++) {
            side->revoked_s[i][k] = ORACLE_NEVER;
        }
    }
}

static void grant(struct oracle_side *side, const struct oracle_event *event, bool weak)
{
    int f = event->ref;
    for (int a = 0; a < 2; a++) {
        if ((event->rights >> a & 1) == 0) {
            continue;
        }
        long latest = later(later(side->revoked_s[a][f], side->whole_s[f]),
                            later(side->all_s[a], side->every_s));
        side->known[a][f] = true;
        side->shown[a][f] = true;
        if (weak && latest != ORACLE_NEVER && event->time_s <= latest) {
            continue; /* it may be the old one */
        }
        bool had = side->granted[a][f];
        side->granted[a][f] = true;
        side->time_s[a][f] = had ? later(side->time_s[a][f], event->time_s) : event->time_s;
    }
}

static bool shows(const struct oracle_side *side, int a)
{
    return side->shown[a][0] || side->shown[a][1];
}

static void end(struct oracle_side *side, int a, int f, long time_s)
{
    side->granted[a][f] = false;
    side->shown[a][f] = false;
    side->known[a][f] = true;
    side->revoked_s[a][f] = later(side->revoked_s[a][f], time_s);
}

static void follow(struct oracle_side *side, const struct oracle_event *event, unsigned meant,
                   bool unknown)
{
    for (int a = 0; a < 2; a++) {
        if ((meant >> a & 1) == 0 || shows(side, a)) {
            continue;
        }
        for (int f = 0; f < 2; f++) {
            if (side->granted[a][f]) {
                end(side, a, f, event->time_s);
            }
        }
        if (event->human) {
            side->cut_s[a] = later(side->cut_s[a], event->time_s);
        }
    }
    bool nothing = !shows(side, 0) && !shows(side, 1);
    if (event->human && event->rights == 0 && (unknown || nothing)) {
        side->cut_every_s = later(side->cut_every_s, event->time_s);
    }
}

static void revoke_ref(struct oracle_side *side, const struct oracle_event *event)
{
    int f = event->ref;
    unsigned known = (side->known[0][f] ? 1U : 0U) | (side->known[1][f] ? 2U : 0U);
    unsigned meant = event->rights != 0 ? event->rights : known;
    for (int a = 0; a < 2; a++) {
        if ((meant >> a & 1) != 0) {
            end(side, a, f, event->time_s);
        }
    }
    if (event->rights == 0) {
        side->whole_s[f] = later(side->whole_s[f], event->time_s);
    }
    follow(side, event, meant, known == 0);
}

/* A revoke without refs, or of all. */
static void revoke_rights(struct oracle_side *side, const struct oracle_event *event)
{
    unsigned meant = event->rights;
    for (int a = 0; a < 2; a++) {
        bool known = side->known[a][0] || side->known[a][1];
        meant |= event->rights == 0 && known ? 1U << a : 0;
    }
    for (int a = 0; a < 2; a++) {
        if (event->rights == 0 || (event->rights >> a & 1) != 0) {
            side->shown[a][0] = side->shown[a][1] = false;
        }
        if (event->rights != 0 && (event->rights >> a & 1) != 0) {
            side->all_s[a] = later(side->all_s[a], event->time_s);
        }
        for (int f = 0; f < 2 && (meant >> a & 1) != 0; f++) {
            side->granted[a][f] = false;
        }
    }
    if (event->rights == 0) {
        side->every_s = later(side->every_s, event->time_s);
    }
    follow(side, event, meant, false);
}

void oracle_take(struct oracle_side *side, const struct oracle_event *event, bool weak)
{
    if (event->op == ORACLE_GRANT) {
        grant(side, event, weak);
    } else if (event->op == ORACLE_REVOKE && event->ref >= 0) {
        revoke_ref(side, event);
    } else {
        revoke_rights(side, event);
    }
}

static unsigned standing(const struct oracle_side *own, const struct oracle_side *other,
                         long skew_s)
{
    unsigned set = 0;
    for (int a = 0; a < 2; a++) {
        long cut = later(other->cut_s[a], other->cut_every_s);
        for (int f = 0; f < 2; f++) {
            if (own->granted[a][f] && (cut == ORACLE_NEVER || own->time_s[a][f] > cut + skew_s)) {
                set |= 1U << a;
            }
        }
    }
    return set;
}

unsigned oracle_effective(const struct oracle_side *a2, const struct oracle_side *a3, long skew_s)
{
    return standing(a2, a3, skew_s) | standing(a3, a2, skew_s);
}
