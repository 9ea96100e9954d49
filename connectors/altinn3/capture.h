/*
 * A capture of Altinn 3: reads what its application writes into the tables of an entity from the
 * log and publishes it. At least once, always with the same identities; the position moves only
 * over what the broker has acknowledged.
 */
#ifndef SYNC_CONNECTORS_ALTINN3_CAPTURE_H
#define SYNC_CONNECTORS_ALTINN3_CAPTURE_H

#include "capture_entity.h"

/*
 * Runs until SIGTERM or SIGINT, waits for what is under way and returns. Logs one line "ready" with
 * its address. What cannot be reached is waited for. Owns: nothing.  Blocks: until a signal. Fails:
 * FATAL for settings, for a server, slot or topic that refuses us or is not the recorded one.
 */
sync_status sync_capture_altinn3_run(const struct capture_entity *entity,
                                     const struct sync_config *config, struct sync_error *err);

#endif
