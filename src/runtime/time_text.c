/* Reads and writes times as text. Pure. Not here: clocks, time zones by name. */
#include "time_text.h"

#include <altinn_sync/status.h>
#include <stdio.h>

#define US_PER_SECOND   1000000LL
#define SECONDS_PER_DAY 86400LL
#define YEAR_BYTES      4

/* What is left to read. A take that does not match leaves good false for all later ones. */
struct reader {
    const uint8_t *at, *end;
    bool good;
};

static bool next_is(struct reader *reader, char c)
{
    if (reader->at == reader->end || *reader->at != (uint8_t)c) {
        return false;
    }
    reader->at++;
    return true;
}

static void expect(struct reader *reader, char c)
{
    reader->good = next_is(reader, c) && reader->good;
}

static bool next_is_digit(const struct reader *reader)
{
    return reader->at != reader->end && *reader->at >= '0' && *reader->at <= '9';
}

/* Exactly count digits within min and max. */
static int take_number(struct reader *reader, int count, int min, int max)
{
    int value = 0;
    for (int i = 0; i < count; i++) {
        if (!next_is_digit(reader)) {
            reader->good = false;
            return min;
        }
        value = value * 10 + (*reader->at++ - '0');
    }
    reader->good &= value >= min && value <= max;
    return value;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

/* Days since 1970 of a date of the Gregorian calendar; years begin in March, so that the leap day
 * is last. */
static int64_t days_of(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* Up to nine digits, cut to microseconds. */
static int64_t take_fraction_us(struct reader *reader)
{
    int64_t us = 0;
    int count = 0;
    if (!next_is(reader, '.')) {
        return 0;
    }
    for (; next_is_digit(reader); reader->at++, count++) {
        us = count < 6 ? us * 10 + (*reader->at - '0') : us;
    }
    reader->good &= count >= 1 && count <= 9;
    for (int i = count; i < 6; i++) {
        us *= 10;
    }
    return us;
}

static int64_t take_offset_s(struct reader *reader)
{
    if (next_is(reader, 'Z')) {
        return 0;
    }
    int sign = next_is(reader, '-') ? -1 : 1;
    if (sign > 0) {
        expect(reader, '+');
    }
    int hours = take_number(reader, 2, 0, 23);
    expect(reader, ':');
    int minutes = take_number(reader, 2, 0, 59);
    return sign * (hours * 3600LL + minutes * 60LL);
}

bool sync_time_parse(struct sync_bytes text, int64_t *ret_us)
{
    struct reader reader = {text.data, text.data + text.size, text.size > 0};
    if (text.size == 0) {
        return false;
    }
    int year = take_number(&reader, YEAR_BYTES, 1, 9999);
    expect(&reader, '-');
    int month = take_number(&reader, 2, 1, 12);
    expect(&reader, '-');
    int day = take_number(&reader, 2, 1, 31);
    expect(&reader, 'T');
    int hour = take_number(&reader, 2, 0, 23);
    expect(&reader, ':');
    int minute = take_number(&reader, 2, 0, 59);
    expect(&reader, ':');
    int second = take_number(&reader, 2, 0, 59);
    int64_t fraction_us = take_fraction_us(&reader);
    int64_t offset_s = take_offset_s(&reader);
    if (!reader.good || reader.at != reader.end || day > days_in_month(year, month)) {
        return false;
    }
    int64_t seconds =
        days_of(year, month, day) * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second - offset_s;
    *ret_us = seconds * US_PER_SECOND + fraction_us;
    return true;
}

struct date {
    int64_t year;
    int month, day;
};

/* The reverse of days_of. */
static struct date date_of(int64_t days)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t of_era = days - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153;
    struct date date = {
        .year = year + era * 400 + (month >= 10),
        .month = (int)(month < 10 ? month + 3 : month - 9),
        .day = (int)(of_year - (153 * month + 2) / 5 + 1),
    };
    return date;
}

void sync_time_format(int64_t time_us, int digits, char ret_text[static SYNC_TIME_BUFFER])
{
    SYNC_ASSERT(digits == 0 || digits == 3 || digits == 6);
    if (time_us == INT64_MIN || time_us == INT64_MAX) {
        (void)snprintf(ret_text, SYNC_TIME_BUFFER, "%s", time_us < 0 ? "-infinity" : "infinity");
        return;
    }
    int64_t seconds = sync_second_of(time_us), us = time_us - seconds * US_PER_SECOND;
    int64_t of_day = seconds % SECONDS_PER_DAY;
    of_day += of_day < 0 ? SECONDS_PER_DAY : 0;
    struct date date = date_of((seconds - of_day) / SECONDS_PER_DAY);
    int size = snprintf(ret_text, SYNC_TIME_BUFFER, "%04lld-%02d-%02dT%02d:%02d:%02d",
                        (long long)date.year, date.month, date.day, (int)(of_day / 3600),
                        (int)(of_day / 60 % 60), (int)(of_day % 60));
    if (digits > 0) {
        int64_t fraction = digits == 3 ? us / 1000 : us;
        size += snprintf(ret_text + size, (size_t)(SYNC_TIME_BUFFER - size), ".%0*lld", digits,
                         (long long)fraction);
    }
    (void)snprintf(ret_text + size, (size_t)(SYNC_TIME_BUFFER - size), "Z");
}

/* Durations --------------------------------------------------------------------------------- */

/* Years and months have no fixed length: they are refused. */
static const struct unit {
    char letter;
    bool in_time; /* behind the T */
    int64_t ms;
} units[] = {
    {'W', false, 604800000}, {'D', false, 86400000}, {'H', true, 3600000},
    {'M', true, 60000},      {'S', true, 1000},
};
#define UNIT_COUNT (sizeof units / sizeof units[0])

/* Digits of any count; good is false when there are none or too many. */
static int64_t take_count(struct reader *reader)
{
    int64_t value = 0;
    reader->good &= next_is_digit(reader);
    for (; next_is_digit(reader); reader->at++) {
        bool over = __builtin_mul_overflow(value, 10, &value) ||
                    __builtin_add_overflow(value, *reader->at - '0', &value);
        if (over) {
            reader->good = false;
            return 0;
        }
    }
    return value;
}

/* Seconds may have up to three digits of fraction. */
static int64_t take_fraction_ms(struct reader *reader, bool *ret_given)
{
    int64_t us;
    const uint8_t *before = reader->at;
    us = take_fraction_us(reader);
    *ret_given = reader->at != before;
    reader->good &= reader->at - before <= 4;
    return us / 1000;
}

/* Index of the unit at the reader, which must stand behind from; UNIT_COUNT when there is none. */
static size_t take_unit(struct reader *reader, size_t from, bool in_time)
{
    for (size_t i = from; i < UNIT_COUNT; i++) {
        if (units[i].in_time == in_time && next_is(reader, units[i].letter)) {
            return i;
        }
    }
    return UNIT_COUNT;
}

bool sync_duration_parse(struct sync_bytes text, int64_t *ret_ms)
{
    struct reader reader = {text.data, text.data + text.size, text.size > 0};
    int64_t total_ms = 0;
    bool in_time = false, any = false;
    size_t from = 0;
    expect(&reader, 'P');
    while (reader.good && (reader.at != reader.end || !any)) {
        if (!in_time && next_is(&reader, 'T')) {
            in_time = true;
            any = false; /* a T alone says nothing */
            continue;
        }
        bool fraction = false;
        int64_t count = take_count(&reader), fraction_ms = take_fraction_ms(&reader, &fraction);
        size_t unit = take_unit(&reader, from, in_time);
        if (!reader.good || unit == UNIT_COUNT || (fraction && units[unit].letter != 'S')) {
            return false;
        }
        int64_t part_ms;
        if (__builtin_mul_overflow(count, units[unit].ms, &part_ms) ||
            __builtin_add_overflow(part_ms, fraction_ms, &part_ms) ||
            __builtin_add_overflow(total_ms, part_ms, &total_ms)) {
            return false;
        }
        from = unit + 1;
        any = true;
    }
    if (!reader.good || !any) {
        return false;
    }
    *ret_ms = total_ms;
    return true;
}
