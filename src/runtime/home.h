/*
 * The databases in which entities keep their state. A process works on the home of its route or
 * source; a verb on every home that the configuration names. No statement spans two homes.
 */
#ifndef SYNC_RUNTIME_HOME_H
#define SYNC_RUNTIME_HOME_H
#include "config.h"

#define SYNC_HOMES_MAX 4 /* each is a migration series and a set of rights */

/* Points into the configuration, and is valid as long as it. */
struct sync_home {
    const char *name;    /* as in sync_processor.home */
    const char *dsn;     /* "" = this configuration has no such home */
    const char *setting; /* the option that holds the DSN */
};

/* The homes that the configuration names, in a fixed order. Returns how many. Blocks: no. */
size_t sync_homes_read(const struct sync_config *config, struct sync_home *ret_homes);

/*
 * The home of a name. who begins the sentence: "run delegation-to-altinn3".
 * Blocks: no.  Fails: FATAL config when no home has the name or its DSN is not set.
 */
sync_status sync_home_find(const struct sync_config *config, const char *name, const char *who,
                           struct sync_home *ret_home, struct sync_error *err);
#endif
