/*
 * How far the delegations of each service are decided, told to the gate that opens services
 * (DL-98). One thread. Not here: when a service opens.
 */
#ifndef SYNC_ALTINN2_DELEGATION_WATERMARK_H
#define SYNC_ALTINN2_DELEGATION_WATERMARK_H
#include "delegation_parts.h"

struct delegation_watermark;

/* Fails: FATAL file (schema) or memory_limit. */
sync_status delegation_watermark_new(struct delegation_capture *capture, struct resolver *resolver,
                                     struct delegation_watermark **ret_watermark,
                                     struct sync_error *err);
void delegation_watermark_free(struct delegation_watermark **watermark);

/*
 * Publishes one record per resource when SYNC_WATERMARK_MS have passed; what the last time made is
 * waited for first. Blocks: for its look-ups.  Fails: as resolver_exec; RETRY memory_limit.
 */
sync_status delegation_watermark_turn(struct delegation_watermark *watermark,
                                      struct sync_error *err);
#endif
