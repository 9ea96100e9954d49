/*
 * Fetches pages of the role feed over the bridge. One thread. Not here: which page, what is done
 * with it.
 */
#ifndef SYNC_ALTINN2_DELEGATION_FEED_FETCH_H
#define SYNC_ALTINN2_DELEGATION_FEED_FETCH_H
#include "delegation_feed_page.h"

struct feed_fetch;

/* Fails: FATAL insecure or config (bridge.base_url), memory_limit. */
sync_status feed_fetch_new(struct receiver_shell *shell, const struct delegation_own *own,
                           struct feed_fetch **ret_fetch, struct sync_error *err);
void feed_fetch_free(struct feed_fetch **fetch);

/*
 * One page.
 * Owns:   the caller frees ret_page with free().
 * Blocks: at most bridge.timeout_ms; ends early when the process ends.
 * Fails:  RETRY http_unreachable or http_answer: again later; PARK not_found: the link is not
 * there (any more); PARK with any other code: an answer that only a person can mend.
 */
sync_status feed_fetch_page(struct feed_fetch *fetch, const char *link, struct feed_page **ret_page,
                            struct sync_error *err);

/* What the last answer asked to wait, 0 = nothing. */
int64_t feed_fetch_retry_after_ms(const struct feed_fetch *fetch);
#endif
