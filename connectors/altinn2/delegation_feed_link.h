/*
 * Links of the role feed. A link is opaque, but it must lead where the configuration says: same
 * scheme, host, port and path. Pure. Not here: calling.
 */
#ifndef SYNC_ALTINN2_DELEGATION_FEED_LINK_H
#define SYNC_ALTINN2_DELEGATION_FEED_LINK_H
#include <altinn_sync/types.h>

#define FEED_LINK_SIZE 2048
#define FEED_PATH      "/roledelegationevent/api/getevents"

/* Where the feed begins: subscription 10 is all roles. False when it does not fit. */
bool feed_link_first(const char *base_url, char ret_link[static FEED_LINK_SIZE]);

/*
 * The link as it is called, below base_url letter for letter.
 * Fails: false for a link that is malformed or leads elsewhere; ret_link is then untouched.
 */
bool feed_link_check(const char *base_url, struct sync_bytes link,
                     char ret_link[static FEED_LINK_SIZE]);
#endif
