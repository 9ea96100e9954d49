/* Reads sizes and durations. Not here: ranges, which belong to the option that takes the value. */
#include "units.h"

#include "time_text.h"

#include <altinn_sync/status.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct unit {
    const char *word;
    int64_t factor;
};

/* A number and one of the units right behind it. */
static bool scaled(const char *text, const struct unit *units, size_t count, int64_t *ret_value)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 18) {
        return false;
    }
    int64_t number = strtoll(text, NULL, 10);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(text + digits, units[i].word) == 0) {
            return !__builtin_mul_overflow(number, units[i].factor, ret_value);
        }
    }
    return false;
}

bool sync_units_bytes(const char *text, int64_t *ret_bytes)
{
    static const struct unit units[] = {{"", 1},
                                        {"B", 1},
                                        {"KiB", 1024},
                                        {"MiB", INT64_C(1024) * 1024},
                                        {"GiB", INT64_C(1024) * 1024 * 1024}};
    return scaled(text, units, sizeof units / sizeof units[0], ret_bytes);
}

bool sync_units_ms(const char *text, int64_t *ret_ms)
{
    static const struct unit units[] = {
        {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
    if (text[0] == 'P') {
        struct sync_bytes bytes = {(const uint8_t *)text, strlen(text)};
        return sync_duration_parse(bytes, ret_ms);
    }
    return scaled(text, units, sizeof units / sizeof units[0], ret_ms);
}

bool sync_units_number(const char *text, int64_t *ret_number)
{
    size_t sign = text[0] == '-' ? 1 : 0;
    size_t digits = strspn(text + sign, "0123456789");
    if (digits == 0 || text[sign + digits] != '\0') {
        return false;
    }
    errno = 0;
    long long number = strtoll(text, NULL, 10);
    if (errno != 0) {
        return false;
    }
    *ret_number = number;
    return true;
}
