/*
 * Independent reference for born events of one key: two sources, each in its own order, and no
 * numbers at all. It shares no code with the processor.
 */
#ifndef TESTS_SIM_DELEGATION_ORACLE_H
#define TESTS_SIM_DELEGATION_ORACLE_H

#include <stdbool.h>
#include <stddef.h>

#define ORACLE_NEVER (-1L)

enum oracle_op { ORACLE_GRANT, ORACLE_REVOKE, ORACLE_REVOKE_ALL };

/* rights: bits, 1 read, 2 sign; 0 in a revoke = whatever the ref gives. ref: 0 or 1. */
struct oracle_event {
    enum oracle_op op;
    unsigned rights;
    int ref; /* -1 = a revoke without refs */
    bool human;
    long time_s;
};

struct oracle_side {
    bool granted[2][2], shown[2][2], known[2][2]; /* by right, ref */
    long time_s[2][2], revoked_s[2][2], whole_s[2], all_s[2], every_s;
    long cut_s[2], cut_every_s;
};

void oracle_side_start(struct oracle_side *side);
void oracle_take(struct oracle_side *side, const struct oracle_event *event, bool weak);
/* Union of what stands against the cuts of the other side, as bits. */
unsigned oracle_effective(const struct oracle_side *a2, const struct oracle_side *a3, long skew_s);

#endif
