/*
 * Who and what exists in demo and tests: both simulators and the maker of message files compute the
 * same ids from the same numbers, so that they agree without talking. Not here: anything the
 * program itself may use.
 */
#ifndef SYNC_DEV_POPULATION_H
#define SYNC_DEV_POPULATION_H

#include <altinn_sync/types.h>
#include <runtime/id.h>
#include <stdio.h>

#define POPULATION_PARTY_FIRST 50001 /* party ids in Altinn 2's numbering, one after the other */
#define POPULATION_PARTY_COUNT 500
#define POPULATION_ACTORS      3 /* parties who act on one message: its recipient and two others */

/* Namespace of every id below; made once at random. */
static inline struct sync_uuid population_id(const char *kind, int32_t number)
{
    static const struct sync_uuid space = {{0x6f, 0x0d, 0x2a, 0x9c, 0x1b, 0x54, 0x4e, 0x0e, 0x9a,
                                            0x37, 0xc8, 0x55, 0x21, 0x7d, 0x3e, 0x90}};
    char name[64];
    (void)snprintf(name, sizeof name, "%s/%d", kind, (int)number); /* kinds are short constants */
    return sync_id_v5(&space, sync_bytes_text(name));
}

/* Altinn 3 id of the message that Altinn 2 knows by this number. */
static inline struct sync_uuid population_message(int32_t altinn2_id)
{
    return population_id("message", altinn2_id);
}

/* UUID of a party, given its number in Altinn 2. */
static inline struct sync_uuid population_party(int32_t altinn2_party_id)
{
    return population_id("party", altinn2_party_id);
}

/* UUID of the user who acts for a party. */
static inline struct sync_uuid population_user(int32_t altinn2_party_id)
{
    return population_id("user", altinn2_party_id);
}

/* Party number of the recipient of a message. */
static inline int32_t population_recipient(int32_t altinn2_id)
{
    return POPULATION_PARTY_FIRST + altinn2_id % POPULATION_PARTY_COUNT;
}

/* Party number of the n-th actor on a message, 0 being its recipient; n below POPULATION_ACTORS. */
static inline int32_t population_actor(int32_t altinn2_id, int n)
{
    return POPULATION_PARTY_FIRST +
           (altinn2_id % POPULATION_PARTY_COUNT + 167 * n) % POPULATION_PARTY_COUNT;
}

/* Altinn 2 ids first … last, both included. */
struct population_range {
    int32_t first, last;
};

/* Reads "FIRST-LAST" (1 to 2147483646, FIRST not above LAST); false leaves ret_range untouched. */
static inline bool population_range_parse(const char *text, struct population_range *ret_range)
{
    long first = 0, last = 0;
    char tail = 0;
    if (strlen(text) > 21 || sscanf(text, "%ld-%ld%c", &first, &last, &tail) != 2 || first < 1 ||
        last < first || last >= INT32_MAX) {
        return false;
    }
    *ret_range = (struct population_range){(int32_t)first, (int32_t)last};
    return true;
}

#endif
