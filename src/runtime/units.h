/* Sizes and durations as people write them in configuration, topics.yaml and flags. Pure. */
#ifndef SYNC_RUNTIME_UNITS_H
#define SYNC_RUNTIME_UNITS_H
#include <stdbool.h>
#include <stdint.h>

/* "1048576", "512KiB", "1MiB", "2GiB" -> bytes. False when malformed, negative or beyond int64. */
bool sync_units_bytes(const char *text, int64_t *ret_bytes);
/* "500ms", "10s", "5m", "2h", "14d", "PT10S", "P14D" -> milliseconds. A number alone has no unit:
 * false. */
bool sync_units_ms(const char *text, int64_t *ret_ms);
/* Decimal digits with an optional minus, nothing else. */
bool sync_units_number(const char *text, int64_t *ret_number);
#endif
