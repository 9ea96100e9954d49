/*
 * The consumer of one route: a poll thread that owns the Kafka handle, an apply thread that owns
 * the database connection, rings between them, and a send thread where the route has an outside
 * target. Not here: what a record means (processors), what a batch writes (apply).
 */
#ifndef SYNC_RUNTIME_CONSUMER_H
#define SYNC_RUNTIME_CONSUMER_H
#include "apply.h"
#include "home.h"

struct sync_consumer_options {
    const struct sync_config *config;
    const struct sync_processor *processor;
    const struct sync_route *route;
    struct sync_home home; /* of the processor */
    const struct sync_topics *topics;
    const struct sync_config_sources *sources; /* SIGHUP reads them again; NULL = it does nothing */
};

/* The most memory that rings, arena, client queues and connections can take, whatever arrives. */
int64_t sync_consumer_memory_bytes(const struct sync_consumer_options *options);

/*
 * Runs until SIGTERM or SIGINT (drains, at most SYNC_DRAIN_MS, then exits the process with 1; a
 * second signal exits at once) or until it must stop. Never returns because a dependency cannot be
 * reached. Prints one log line "ready" with the addresses it serves. Calls:  the main thread;
 * signals are blocked in all threads that it makes. Fails:  FATAL with the sentence; RETRY
 * memory_limit at start.
 */
sync_status sync_consumer_run(const struct sync_consumer_options *options, struct sync_error *err);
#endif
