/*
 * bench-apply MODE --dsn DSN [--events N] [--messages N] [--batch N] [--seed N] [--visible]
 * [--decisions]
 * [--repeat]: one contestant of the apply benchmark on a database that has the tables. Modes:
 * setup, ceiling, protocol. Prints one JSON line. Not here: databases, pairs and ratios (bench.py).
 */
#include "bench_apply.h"

#include "../../../src/core/limits.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static int64_t number_of(const char *text)
{
    char *end = NULL;
    long long number = strtoll(text, &end, 10);
    if (*end != '\0' || number < 0) {
        (void)fprintf(stderr, "bench-apply: %s is no number\n", text);
        exit(2);
    }
    return number;
}

static void parse(int argc, char **argv, struct bench *bench)
{
    for (int i = 2; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--visible") == 0) {
            bench->visible = true;
        } else if (strcmp(argv[i], "--decisions") == 0) {
            bench->decisions = true;
        } else if (strcmp(argv[i], "--repeat") == 0) {
            bench->repeat = true;
        } else if (strcmp(argv[i], "--dsn") == 0) {
            bench->dsn = argv[++i];
        } else if (strcmp(argv[i], "--events") == 0) {
            bench->events = number_of(value), i++;
        } else if (strcmp(argv[i], "--messages") == 0) {
            bench->messages = number_of(value), i++;
        } else if (strcmp(argv[i], "--batch") == 0) {
            bench->batch = number_of(value), i++;
        } else if (strcmp(argv[i], "--first-s") == 0) {
            bench->first_us = number_of(value) * 1000000, i++;
        } else if (strcmp(argv[i], "--seed") == 0) {
            bench->seed = (uint64_t)number_of(value), i++;
        } else {
            (void)fprintf(stderr, "bench-apply: there is no flag %s\n", argv[i]);
            exit(2);
        }
    }
}

/* CPU time of the server's process for our connection, when it runs on this machine; else 0. */
static double server_cpu_seconds(struct bench *bench)
{
    static const struct sync_statement statement = {"bench_pid", "SELECT pg_backend_pid()"};
    char path[64];
    unsigned long user = 0, kernel = 0;
    struct sync_error err;
    SYNC_RESULT result = {0};
    if (!sync_is_ok(sync_db_exec(bench->db, &statement, NULL, &result, &err))) {
        return 0;
    }
    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)sync_result_int4(&result, 0, 0));
    FILE *file = fopen(path, "re");
    if (!file) {
        return 0;
    }
    if (fscanf(file, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
               &kernel) != 2) {
        user = kernel = 0;
    }
    (void)fclose(file);
    return (double)(user + kernel) / (double)sysconf(_SC_CLK_TCK);
}

static sync_status run(const char *mode, struct bench *bench, int64_t *ret_us,
                       struct sync_error *err)
{
    struct sync_db_options options = {.dsn = bench->dsn, .application = "bench-apply"};
    sync_status status = sync_db_new(&options, &bench->db, err);
    if (sync_is_ok(status)) {
        status = sync_db_connect(bench->db, err);
    }
    if (!sync_is_ok(status)) {
        return status;
    }
    if (strcmp(mode, "setup") == 0) {
        return bench_setup(bench, err);
    }
    if (strcmp(mode, "ceiling") == 0) {
        return bench_ceiling(bench, ret_us, err);
    }
    if (strcmp(mode, "protocol") == 0) {
        return bench_protocol(bench, ret_us, err);
    }
    return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_USAGE, "there is no mode %s", mode);
}

int main(int argc, char **argv)
{
    struct bench bench = {.events = 1000000,
                          .messages = 200000,
                          .batch = 1000,
                          .seed = 1,
                          .first_us = 1735689600LL * 1000000};
    struct sync_error err = {0};
    struct rusage usage;
    int64_t us = 0;
    if (argc < 2) {
        (void)fprintf(stderr, "bench-apply: name a mode: setup, ceiling, protocol or events\n");
        return 2;
    }
    parse(argc, argv, &bench);
    bench_events_init(&bench);
    if (strcmp(argv[1], "events") == 0) {
        bench_events_print(&bench);
        return 0;
    }
    uint8_t *memory = malloc(SYNC_BATCH_ARENA_BYTES);
    SYNC_ASSERT(memory != NULL);
    sync_arena_init(&bench.arena, memory, SYNC_BATCH_ARENA_BYTES);
    sync_status status = run(argv[1], &bench, &us, &err);
    double server_s = sync_is_ok(status) ? server_cpu_seconds(&bench) : 0;
    sync_db_free(&bench.db);
    free(memory);
    if (!sync_is_ok(status)) {
        (void)fprintf(stderr, "bench-apply: %s\n", err.text);
        return 1;
    }
    (void)getrusage(RUSAGE_SELF, &usage);
    (void)printf("{\"mode\":\"%s\",\"events\":%" PRId64 ",\"messages\":%" PRId64
                 ",\"batch\":%" PRId64 ",\"seed\":%" PRIu64
                 ",\"seconds\":%.3f,\"events_per_s\":%.0f,\"client_cpu_s\":%.2f,\"server_cpu_s\":%."
                 "2f,\"peak_rss_kib\":%ld}\n",
                 argv[1], bench.events, bench.messages, bench.batch, bench.seed, (double)us / 1e6,
                 us > 0 ? (double)bench.events * 1e6 / (double)us : 0.0,
                 (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                     (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6,
                 server_s, usage.ru_maxrss);
    return 0;
}
