/*
 * What Altinn 2 says about delegations in one call: JSON into a bounded struct. Form only; what is
 * unknown is decided later by the rules. Pure but for memory. Not here: ids of rules, looking up,
 * numbering, answering.
 */
#ifndef SYNC_ALTINN2_DELEGATION_CALL_H
#define SYNC_ALTINN2_DELEGATION_CALL_H
#include "receiver_parts.h"

#include <altinn_sync/delegation.h>

#define DELEGATION_CALL_ITEMS_MAX 512 /* rules, or elements, of one call: bounds its memory */
#define DELEGATION_CALL_IDS_MAX   256 /* ids of rules in one element */
#define DELEGATION_TYPE_SIZE_MAX  63  /* of the name of a party's type */

enum delegation_call_sort {
    DELEGATION_CALL_ADD,          /* addrules */
    DELEGATION_CALL_DELETE,       /* deleterules */
    DELEGATION_CALL_CLEAR,        /* deletepolicy */
    DELEGATION_CALL_MESSAGE,      /* a rule on one message */
    DELEGATION_CALL_UNMESSAGE,    /* and its end */
    DELEGATION_CALL_EXPORT_BEGIN, /* asks for the position of a new export */
    DELEGATION_CALL_EXPORT_END,
};

/* A rule of addrules, or an element of the other two. Texts lie in the call. */
struct delegation_rule {
    struct delegation_name from, to, performer;
    char resource[DELEGATION_TARGET_SIZE]; /* id in the registry, lower case; apps: app_<org>_<app>
                                            */
    size_t org_size;                       /* of <org> in it; 0 = no app */
    struct sync_bytes action;              /* ADD: as it was written, without blanks at its ends */
    bool has_time;
    int64_t time_us;
    struct sync_uuid *rule_ids; /* DELETE */
    size_t rule_id_count;
};

/* MESSAGE and UNMESSAGE. */
struct delegation_message {
    int32_t rule;
    int64_t created_us;
    struct delegation_name from, to, performer;
    char resource[DELEGATION_TARGET_SIZE];
    char instance[DELEGATION_INSTANCE_SIZE]; /* canonical URN */
    struct sync_bytes *actions;
    size_t action_count;
};

struct delegation_call {
    enum delegation_call_sort sort;
    struct receiver_place place;
    bool dated;         /* every act in it has its time: the same body once more is a repeat */
    uint8_t digest[32]; /* of the body */
    struct delegation_rule *rules; /* ADD, DELETE, CLEAR */
    size_t rule_count;
    struct delegation_message message;
    char resource[DELEGATION_TARGET_SIZE]; /* EXPORT_END */
    int64_t export_rows; /* EXPORT_END: how many were sent, by the sender's count */
};

/*
 * The parsers of the receiver's calls; ret_content is a struct delegation_call in one block.
 * Fails: PARK with the JSON pointer in field (400), oversize (413); RETRY memory_limit (503).
 */
sync_status delegation_call_parse_add(struct sync_bytes body, const struct receiver_place *place,
                                      void **ret_content, struct sync_error *err);
sync_status delegation_call_parse_delete(struct sync_bytes body, const struct receiver_place *place,
                                         void **ret_content, struct sync_error *err);
sync_status delegation_call_parse_clear(struct sync_bytes body, const struct receiver_place *place,
                                        void **ret_content, struct sync_error *err);
sync_status delegation_call_parse_message(struct sync_bytes body,
                                          const struct receiver_place *place, void **ret_content,
                                          struct sync_error *err);
sync_status delegation_call_parse_unmessage(struct sync_bytes body,
                                            const struct receiver_place *place, void **ret_content,
                                            struct sync_error *err);
sync_status delegation_call_parse_begin(struct sync_bytes body, const struct receiver_place *place,
                                        void **ret_content, struct sync_error *err);
sync_status delegation_call_parse_end(struct sync_bytes body, const struct receiver_place *place,
                                      void **ret_content, struct sync_error *err);

/* Whether two parties of calls are named by the same ids. */
bool delegation_name_equal(const struct delegation_name *a, const struct delegation_name *b);
#endif
