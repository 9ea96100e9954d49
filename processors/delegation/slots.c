/* Rows of a key: finding or making them in the room that the store gave. */
#include "parts.h"

int delegation_right_slot(struct delegation_key *key, const char *right)
{
    int found = delegation_right_find(key, right);
    if (found != DELEGATION_NO_RIGHT || key->right_count >= key->right_capacity) {
        return found;
    }
    size_t size = strlen(right);
    SYNC_ASSERT(size > 0 && size < DELEGATION_RIGHT_SIZE);
    memcpy(key->rights[key->right_count], right, size + 1);
    return key->right_count++;
}

struct delegation_ref *delegation_ref_slot(struct delegation_key *key, int right, int source,
                                           const char *ref)
{
    struct delegation_ref *row = delegation_ref_find(key, right, source, ref);
    if (row != NULL || key->ref_count >= key->ref_capacity) {
        return row;
    }
    size_t size = strlen(ref);
    SYNC_ASSERT(size > 0 && size < DELEGATION_REF_SIZE);
    row = &key->refs[key->ref_count++];
    *row = (struct delegation_ref){
        .right = (int16_t)right,
        .source = (uint8_t)source,
        .op = DELEGATION_OP_NONE,
        .lender = -1,
        .seq = DELEGATION_NEVER,
        .op_time = DELEGATION_NEVER,
        .revoke_time = DELEGATION_NEVER,
        .human_time = DELEGATION_NEVER,
        .present_seq = DELEGATION_NEVER,
        .echo_seq = DELEGATION_NEVER,
    };
    memcpy(row->ref, ref, size + 1);
    return row;
}

struct delegation_mark *delegation_mark_slot(struct delegation_key *key, int right, int source)
{
    struct delegation_mark *mark = delegation_mark_find(key, right, source);
    if (mark != NULL || key->mark_count >= key->mark_capacity) {
        return mark;
    }
    mark = &key->marks[key->mark_count++];
    *mark = (struct delegation_mark){.right = (int16_t)right,
                                     .source = (uint8_t)source,
                                     .all_seq = DELEGATION_NEVER,
                                     .all_time = DELEGATION_NEVER,
                                     .cut_time = DELEGATION_NEVER};
    return mark;
}

const struct delegation_party *delegation_party_find(const struct delegation_state *state,
                                                     const struct sync_uuid *id)
{
    for (size_t i = 0; i < state->party_count; i++) {
        if (sync_uuid_compare(&state->parties[i].uuid, id) == 0) {
            return &state->parties[i];
        }
    }
    return NULL;
}
