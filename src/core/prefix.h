/*
 * Contiguous finished prefix: units of work begin in order, finish in any order, and a position may
 * be confirmed only when every unit up to it is finished. A unit is what is confirmed as a whole (a
 * transaction of a log, a page of a feed); its parts are the records it gave.
 * Not here: what a position means, and telling it to anybody.
 */
#ifndef SYNC_CORE_PREFIX_H
#define SYNC_CORE_PREFIX_H

#include <altinn_sync/types.h>

/* One unit that is not yet confirmed. */
struct sync_prefix_unit {
    uint64_t position; /* its end; means nothing before it is sealed */
    size_t open;       /* parts handed over and not yet finished */
    bool sealed;       /* all parts were handed over */
};

struct sync_prefix {
    struct sync_prefix_unit *units; /* ring */
    size_t capacity;
    uint64_t first, next; /* tickets of the oldest unit and of the next one */
    uint64_t confirmed;
};

/*
 * Starts empty: everything up to the given position is confirmed.
 * Owns: units belongs to the caller and must outlive the prefix.  Blocks: no.  Fails: never.
 */
void sync_prefix_init(struct sync_prefix *prefix, struct sync_prefix_unit *units, size_t capacity,
                      uint64_t confirmed);

/*
 * Begins the next unit and gives its ticket. Tickets count up from 0.
 * Owns: nothing.  Blocks: no.  Fails: false when all units of the ring are open; finish some first.
 */
bool sync_prefix_begin(struct sync_prefix *prefix, uint64_t *ret_ticket);

/* One part of an unsealed unit is handed over. Blocks: no. Fails: never. */
void sync_prefix_add(struct sync_prefix *prefix, uint64_t ticket);

/*
 * One part of a unit is finished for good. Any order, before or after the unit is sealed.
 * Owns: nothing.  Blocks: no.  Fails: false when the ticket is not open, for example from before a
 * restart.
 */
bool sync_prefix_finish(struct sync_prefix *prefix, uint64_t ticket);

/*
 * No further part comes: the unit ends at this position, which is not below that of the unit
 * before. A unit without parts is finished by this. Blocks: no. Fails: never.
 */
void sync_prefix_seal(struct sync_prefix *prefix, uint64_t ticket, uint64_t position);

/* End of the longest run of finished units: what may be confirmed. Never decreases. */
uint64_t sync_prefix_confirmed(const struct sync_prefix *prefix);

/* Units that began and are not confirmed. 0: a keepalive's position may be confirmed by advance. */
size_t sync_prefix_open_count(const struct sync_prefix *prefix);

/*
 * Nothing is open and the source says that nothing lies before this position.
 * Blocks: no.  Fails: false when a unit is open; the position is then not taken.
 */
bool sync_prefix_advance(struct sync_prefix *prefix, uint64_t position);

#endif
