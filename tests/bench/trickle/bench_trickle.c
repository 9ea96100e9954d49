/*
 * bench-trickle MODE [flags]: the load of the trickle benchmark. Modes: topic, push, rows (acts on
 * a fixed schedule), bridge. Prints one JSON line: how late the acts were done. Not here: what the
 * system under test made of them, which bench.py reads from the tables.
 */
#include "trickle.h"

#include <inttypes.h>
#include <runtime/clock.h>
#include <runtime/log.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t number_of(const char *text)
{
    char *end = NULL;
    long long number = strtoll(text, &end, 10);
    if (*text == '\0' || *end != '\0' || number < 0) {
        (void)fprintf(stderr, "bench-trickle: %s is no number\n", text);
        exit(2);
    }
    return number;
}

static void parse(int argc, char **argv, struct trickle *trickle)
{
    const struct {
        const char *name;
        const char **text;
        int64_t *number;
    } flags[] = {
        {"--dsn", &trickle->dsn, NULL},     {"--bootstrap", &trickle->bootstrap, NULL},
        {"--topic", &trickle->topic, NULL}, {"--schemas", &trickle->schemas, NULL},
        {"--url", &trickle->url, NULL},     {"--listen", &trickle->listen, NULL},
        {"--first", NULL, &trickle->first}, {"--count", NULL, &trickle->count},
        {"--rate", NULL, &trickle->rate},   {"--from-us", NULL, &trickle->from_us},
    };
    for (int i = 2; i < argc; i += 2) {
        size_t at = 0;
        while (at < sizeof flags / sizeof flags[0] && strcmp(argv[i], flags[at].name) != 0) {
            at++;
        }
        if (at == sizeof flags / sizeof flags[0] || i + 1 == argc) {
            (void)fprintf(stderr, "bench-trickle: %s is no flag, or lacks its value\n", argv[i]);
            exit(2);
        }
        if (flags[at].text != NULL) {
            *flags[at].text = argv[i + 1];
        } else {
            *flags[at].number = number_of(argv[i + 1]);
        }
    }
    if (trickle->count == 0 || trickle->rate == 0) {
        (void)fprintf(stderr, "bench-trickle: --count and --rate must be above 0\n");
        exit(2);
    }
}

static int compare(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

static void print_lateness(struct trickle *trickle)
{
    size_t count = (size_t)trickle->count;
    qsort(trickle->late_us, count, sizeof *trickle->late_us, compare);
    (void)printf("{\"acts\":%zu,\"done_ms_p50\":%.1f,\"done_ms_p99\":%.1f,\"done_ms_max\":%.1f}\n",
                 count, (double)trickle->late_us[count / 2] / 1e3,
                 (double)trickle->late_us[count * 99 / 100] / 1e3,
                 (double)trickle->late_us[count - 1] / 1e3);
}

static sync_status run(const char *mode, struct trickle *trickle, struct sync_error *err)
{
    if (strcmp(mode, "topic") == 0) {
        return trickle_topic(trickle, err);
    }
    if (strcmp(mode, "push") == 0) {
        return trickle_push(trickle, err);
    }
    if (strcmp(mode, "rows") == 0) {
        return trickle_rows(trickle, err);
    }
    if (strcmp(mode, "bridge") == 0) {
        return trickle_bridge(trickle, err);
    }
    return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_USAGE, "there is no mode %s", mode);
}

int main(int argc, char **argv)
{
    struct trickle trickle = {.rate = 1, .first = 1, .schemas = "schemas"};
    struct sync_error err = {0};
    if (argc < 2) {
        (void)fprintf(stderr, "bench-trickle: name a mode: topic, push, rows or bridge\n");
        return 2;
    }
    parse(argc, argv, &trickle);
    sync_log_init("bench-trickle", SYNC_ERROR);
    trickle.late_us = calloc((size_t)trickle.count, sizeof *trickle.late_us);
    SYNC_ASSERT(trickle.late_us != NULL);
    sync_status status = run(argv[1], &trickle, &err);
    if (!sync_is_ok(status)) {
        (void)fprintf(stderr, "bench-trickle: %s\n", err.text);
        return 1;
    }
    if (strcmp(argv[1], "bridge") != 0) {
        print_lateness(&trickle);
    }
    free(trickle.late_us);
    return 0;
}
