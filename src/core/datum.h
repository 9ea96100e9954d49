/*
 * Executes a decoding plan over untrusted Avro bytes: iterative, no recursion, no allocation, every
 * length compared with what is left. The plan is compiled by src/runtime/schema.c.
 */
#ifndef SYNC_CORE_DATUM_H
#define SYNC_CORE_DATUM_H

#include <altinn_sync/processor.h>

#include "arena.h"

struct sync_plan; /* writer schema against reader fields; opaque outside datum.c and schema.c */

/*
 * Decodes one datum into the change struct, which is zeroed first. Text fields point into the
 * datum, a text that is the reader's default into the plan. Owns: ret_change points into datum and
 * plan; valid as long as both are. Blocks: no. Fails: PARK with code, field path and the byte
 * offset in the text; ret_change is then undefined.
 */
sync_status sync_datum_decode(const struct sync_plan *plan, struct sync_bytes datum,
                              void *ret_change, struct sync_error *err);

#endif
