/*
 * The home database of a capture of Altinn 2: statements under a look-up's time limit, and the next
 * numbers of its streams. One thread. Not here: what is looked up (status_lookup.c,
 * delegation_parties.c).
 */
#ifndef SYNC_ALTINN2_RESOLVER_H
#define SYNC_ALTINN2_RESOLVER_H
#include <runtime/home.h>
#include <runtime/postgres.h>

struct resolver;

/* source: name of the capture in sync.source. Fails: FATAL insecure or config (dsn), memory_limit.
 */
sync_status resolver_new(const struct sync_home *home, const char *source,
                         struct resolver **ret_resolver, struct sync_error *err);
void resolver_free(struct resolver **resolver);

/* Empty parameters in the resolver's own memory: those of the statement before are gone. */
struct sync_params resolver_params(struct resolver *resolver);

/*
 * One statement in a transaction of its own.
 * Owns: ret_result may be NULL.  Blocks: at most SYNC_RECEIVER_LOOKUP_MS + network.
 * Fails: RETRY (answer 503); FATAL, db_schema for tables of another version.
 */
sync_status resolver_exec(struct resolver *resolver, const struct sync_statement *statement,
                          const struct sync_params *params, struct sync_result *ret_result,
                          struct sync_error *err);

/* The same with a limit of its own, for questions that are no caller's. */
sync_status resolver_exec_within(struct resolver *resolver, int timeout_ms,
                                 const struct sync_statement *statement,
                                 const struct sync_params *params, struct sync_result *ret_result,
                                 struct sync_error *err);

/* Numbers of one number line: the generation, and the first of a run. */
struct resolver_run {
    int32_t generation;
    int64_t first;
};
/* Numbers for count events, committed before they are handed out: gaps are legal, reuse is not. */
sync_status resolver_number(struct resolver *resolver, size_t count, struct resolver_run *ret_run,
                            struct sync_error *err);
/* The highest number that was ever handed out, in ret_run->first; no later event gets it or a lower
 * one. 0 before the first. */
sync_status resolver_position(struct resolver *resolver, struct resolver_run *ret_run,
                              struct sync_error *err);

/* Asks whether the database answers. Fails: as resolver_exec. */
sync_status resolver_ping(struct resolver *resolver, struct sync_error *err);
#endif
