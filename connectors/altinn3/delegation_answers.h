/*
 * Answers about the world that a batch asks for: parties by uuid and by both numbers, who they have
 * become, resources by id and by service. Not here: what is asked for (delegation_ask.c).
 */
#ifndef CONNECTORS_ALTINN3_DELEGATION_ANSWERS_H
#define CONNECTORS_ALTINN3_DELEGATION_ANSWERS_H
#include "delegation_store.h"

/* Sorts count items, and leaves one of each. Returns how many are left. */
size_t deleg_distinct(void *items, size_t count, size_t size,
                      int (*compare)(const void *left, const void *right));

/* What is asked for at once; equal names may stand twice. */
struct deleg_questions {
    const struct sync_uuid *uuids;
    const int32_t *party_ids, *user_ids;
    const struct sync_bytes *resources, *codes; /* canonical */
    const int32_t *editions;                    /* of the codes */
    size_t uuid_count, party_id_count, user_id_count, resource_count, service_count;
};

/* Asks, and adds to the answers of the batch. Fails: class of the statement. */
sync_status deleg_answers_ask(struct deleg_batch *all, const struct deleg_questions *questions,
                              struct sync_error *err);

/* After the last question: parties can be found by their numbers. Fails: RETRY memory_limit. */
sync_status deleg_answers_index(struct deleg_batch *all, struct sync_error *err);

/* Each: NULL = not known. */
const struct deleg_party *deleg_party_find(const struct deleg_answers *answers,
                                           const struct sync_uuid *id);
const struct deleg_party *deleg_party_by_number(const struct deleg_answers *answers, int32_t number,
                                                bool user);
const struct delegation_alias *deleg_alias_find(const struct deleg_answers *answers,
                                                const struct sync_uuid *id);
const struct delegation_resource *deleg_resource_find(const struct deleg_answers *answers,
                                                      const char *id);
/* The resource that a change is about, by its id or as the service that it stands for. */
const struct delegation_resource *deleg_resource_of(const struct deleg_answers *answers,
                                                    const struct delegation_change *change);
#endif
