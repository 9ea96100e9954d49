/* Times as text: strict RFC 3339 / ISO 8601 with offset, ISO 8601 durations. Pure. */
#ifndef SYNC_RUNTIME_TIME_TEXT_H
#define SYNC_RUNTIME_TIME_TEXT_H
#include <altinn_sync/types.h>
/* "2025-03-04T09:00:00.1234567+01:00" or Z; 0…9 fraction digits, cut (not rounded) to µs. False
 * when malformed. */
bool sync_time_parse(struct sync_bytes text, int64_t *ret_us);
/* "2025-03-04T09:00:00.200000Z" (digits: 0, 3 or 6). */
#define SYNC_TIME_BUFFER 32
void sync_time_format(int64_t time_us, int digits, char ret_text[static SYNC_TIME_BUFFER]);
/* "P14D", "PT1H30M" -> milliseconds. */
bool sync_duration_parse(struct sync_bytes text, int64_t *ret_ms);
#endif
