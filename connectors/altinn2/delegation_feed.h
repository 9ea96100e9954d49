/*
 * The reader of Altinn 2's role feed: pages into records, checkpoints after delivery, the first
 * load beside live. One thread, one page at a time, live before the first load. Not here: the
 * thread, the watermark.
 */
#ifndef SYNC_ALTINN2_DELEGATION_FEED_H
#define SYNC_ALTINN2_DELEGATION_FEED_H
#include "delegation_parts.h"

struct delegation_feed;

/*
 * Owns:   the caller frees ret_feed and keeps capture and resolver as long. NULL where no bridge is
 * configured: there is no feed then.
 * Fails:  FATAL insecure, config (capture.feed_start_link), memory_limit.
 */
sync_status delegation_feed_new(struct delegation_capture *capture, struct resolver *resolver,
                                struct delegation_feed **ret_feed, struct sync_error *err);
void delegation_feed_free(struct delegation_feed **feed);

/*
 * At most one page, if one is due, and the feed's marks. Returns whether there is more to do at
 * once. Blocks: for the page (bridge.timeout_ms), for the broker's acknowledgement, for the
 * database; ends early when the process ends.
 */
bool delegation_feed_turn(struct delegation_feed *feed);
#endif
