/*
 * The captures of Altinn 2: each takes over HTTP the calls that Altinn 2 makes, and says that it
 * has them only after the broker has acknowledged every record.
 */
#ifndef SYNC_ALTINN2_RECEIVER_H
#define SYNC_ALTINN2_RECEIVER_H
#include <runtime/config.h>

/*
 * The capture "altinn2-status". Runs until SIGTERM or SIGINT, then answers what is open and
 * returns. Logs one line "ready" with its addresses. A dependency that cannot be reached is waited
 * for. Fails: FATAL for settings, a database or topic that refuses us.
 */
sync_status sync_receiver_run(const struct sync_config *config, struct sync_error *err);

/*
 * The capture "altinn2-delegation": the same for calls about delegations and exports of them,
 * besides the role feed and the watermark. Fails: as above.
 */
sync_status sync_capture_altinn2_delegation_run(const struct sync_config *config,
                                                struct sync_error *err);
#endif
