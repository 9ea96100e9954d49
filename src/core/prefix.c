/* Contiguous finished prefix over a fixed ring. Not here: time-outs of units that never finish. */
#include "prefix.h"

#include <altinn_sync/status.h>

static struct sync_prefix_unit *unit_at(struct sync_prefix *prefix, uint64_t ticket)
{
    SYNC_ASSERT(ticket >= prefix->first);
    SYNC_ASSERT(ticket < prefix->next);
    return &prefix->units[ticket % prefix->capacity];
}

/* Confirms what is finished at the front; a gap stops it, however much is finished behind. */
static void confirm(struct sync_prefix *prefix)
{
    SYNC_ASSERT(prefix->first <= prefix->next);
    while (prefix->first < prefix->next) {
        const struct sync_prefix_unit *unit = unit_at(prefix, prefix->first);
        if (!unit->sealed || unit->open > 0) {
            return;
        }
        SYNC_ASSERT(unit->position >= prefix->confirmed);
        prefix->confirmed = unit->position;
        prefix->first++;
    }
}

void sync_prefix_init(struct sync_prefix *prefix, struct sync_prefix_unit *units, size_t capacity,
                      uint64_t confirmed)
{
    SYNC_ASSERT(units != NULL);
    SYNC_ASSERT(capacity > 0);
    *prefix = (struct sync_prefix){units, capacity, 0, 0, confirmed};
}

bool sync_prefix_begin(struct sync_prefix *prefix, uint64_t *ret_ticket)
{
    SYNC_ASSERT(ret_ticket != NULL);
    SYNC_ASSERT(prefix->next - prefix->first <= prefix->capacity);
    if (prefix->next - prefix->first == prefix->capacity) {
        return false;
    }
    *ret_ticket = prefix->next++;
    *unit_at(prefix, *ret_ticket) = (struct sync_prefix_unit){.open = 0};
    return true;
}

void sync_prefix_add(struct sync_prefix *prefix, uint64_t ticket)
{
    struct sync_prefix_unit *unit = unit_at(prefix, ticket);
    SYNC_ASSERT(!unit->sealed);
    SYNC_ASSERT(unit->open < SIZE_MAX);
    unit->open++;
}

bool sync_prefix_finish(struct sync_prefix *prefix, uint64_t ticket)
{
    SYNC_ASSERT(prefix->first <= prefix->next);
    if (ticket < prefix->first || ticket >= prefix->next) {
        return false;
    }
    struct sync_prefix_unit *unit = unit_at(prefix, ticket);
    SYNC_ASSERT(unit->open > 0);
    unit->open--;
    confirm(prefix);
    return true;
}

void sync_prefix_seal(struct sync_prefix *prefix, uint64_t ticket, uint64_t position)
{
    struct sync_prefix_unit *unit = unit_at(prefix, ticket);
    SYNC_ASSERT(!unit->sealed);
    SYNC_ASSERT(position >= prefix->confirmed);
    unit->position = position;
    unit->sealed = true;
    confirm(prefix);
}

uint64_t sync_prefix_confirmed(const struct sync_prefix *prefix)
{
    SYNC_ASSERT(prefix != NULL);
    SYNC_ASSERT(prefix->first <= prefix->next);
    return prefix->confirmed;
}

size_t sync_prefix_open_count(const struct sync_prefix *prefix)
{
    SYNC_ASSERT(prefix->first <= prefix->next);
    SYNC_ASSERT(prefix->next - prefix->first <= prefix->capacity);
    return (size_t)(prefix->next - prefix->first);
}

bool sync_prefix_advance(struct sync_prefix *prefix, uint64_t position)
{
    SYNC_ASSERT(prefix->first <= prefix->next);
    SYNC_ASSERT(prefix->capacity > 0);
    if (prefix->first < prefix->next) {
        return false;
    }
    if (position > prefix->confirmed) {
        prefix->confirmed = position;
    }
    return true;
}
