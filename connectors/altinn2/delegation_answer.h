/* What Altinn 2 is answered about its rules. Pure but for memory. Not here: codes. */
#ifndef SYNC_ALTINN2_DELEGATION_ANSWER_H
#define SYNC_ALTINN2_DELEGATION_ANSWER_H
#include "delegation_call.h"

/* One rule that the answer names. */
struct delegation_answer_rule {
    const struct delegation_rule *rule;
    struct sync_bytes action;
    struct sync_uuid id;
};

/*
 * The list of rules with their ids, in this order; created: with createdSuccessfully.
 * Owns: malloc'ed text, the caller frees it; NULL when memory failed.
 */
char *delegation_answer_rules(const struct delegation_answer_rule *rules, size_t count,
                              bool created);
/* {"<name>": number} */
char *delegation_answer_number(const char *name, int64_t number);
#endif
