/*
 * altinn2-sim: a simulated Altinn 2 for demo and tests. Users act, a batch job pushes what
 * happened, the bridge takes what Altinn 3 says. Not here: any of these parts, only options,
 * signals, start and end.
 */
#include "sim.h"

#include <math.h>
#include <runtime/clock.h>
#include <runtime/log.h>
#include <signal.h>
#include <stdlib.h>

static const char *const help =
    "Usage: altinn2-sim --dsn DSN --messages FIRST-LAST [OPTIONS]\n"
    "\n"
    "  --dsn DSN                 database for its tables (schema altinn2sim)\n"
    "  --messages FIRST-LAST     the messages of this Altinn 2, by number\n"
    "  --not-migrated FIRST-LAST which of them Altinn 3 does not know at the start\n"
    "  --listen ADDRESS          bridge and /sim/state (127.0.0.1:0)\n"
    "  --push-url URL            base URL of the receiver; without it nothing is pushed\n"
    "  --push-token-file FILE    bearer token of the pushes\n"
    "  --push-seconds N          how often the batch job runs (2)\n"
    "  --rate N                  acts in a second (0)\n"
    "  --act-seconds N           users stop after so long (they act until SIGUSR1)\n"
    "  --acts N                  users stop after so many acts\n"
    "  --reorder-seconds N       a report waits a random time up to this before it may be pushed "
    "(0)\n"
    "  --echo off|exact|second|party|both|mix\n"
    "                            how applied bridge calls come back in the pushes (off)\n"
    "  --faults FILE             lines such as \"at 20s for 10s bridge 503\"\n"
    "  --seed N                  of everything that is chosen (1)\n";

/* Options. */

static bool read_range(const char *value, struct population_range *ret_range)
{
    return population_range_parse(value, ret_range);
}

static bool read_number(const char *value, double max, double *ret_number)
{
    char *end = NULL;
    double number = strtod(value, &end);
    if (end == value || *end != '\0' || !(number >= 0) || number > max) {
        return false;
    }
    *ret_number = number;
    return true;
}

static bool read_echo(const char *value, enum sim_echo *ret_echo)
{
    static const char *const words[] = {"off", "exact", "second", "party", "both", "mix"};
    for (int i = 0; i <= SIM_ECHO_MIX; i++) {
        if (strcmp(value, words[i]) == 0) {
            *ret_echo = (enum sim_echo)i;
            return true;
        }
    }
    return false;
}

static bool read_text(const char *value, const char **ret_text)
{
    *ret_text = value;
    return value[0] != '\0';
}

/* One option with its value; false when either is not understood. */
static bool read_option(struct sim_options *options, const char *name, const char *value)
{
    double number = 0;
    if (strcmp(name, "--dsn") == 0) {
        return read_text(value, &options->dsn);
    }
    if (strcmp(name, "--listen") == 0) {
        return read_text(value, &options->listen);
    }
    if (strcmp(name, "--push-url") == 0) {
        return read_text(value, &options->push_url);
    }
    if (strcmp(name, "--push-token-file") == 0) {
        return read_text(value, &options->push_token_file);
    }
    if (strcmp(name, "--faults") == 0) {
        return read_text(value, &options->faults_file);
    }
    if (strcmp(name, "--messages") == 0) {
        return read_range(value, &options->messages);
    }
    if (strcmp(name, "--not-migrated") == 0) {
        return read_range(value, &options->not_migrated);
    }
    if (strcmp(name, "--echo") == 0) {
        return read_echo(value, &options->echo);
    }
    if (strcmp(name, "--rate") == 0) {
        return read_number(value, 10000, &options->rate);
    }
    if (strcmp(name, "--push-seconds") == 0) {
        return read_number(value, 3600, &options->push_seconds) && options->push_seconds >= 0.05;
    }
    if (strcmp(name, "--act-seconds") == 0 && read_number(value, 86400, &number)) {
        options->act_seconds = (long)number;
        return number > 0;
    }
    if (strcmp(name, "--acts") == 0 && read_number(value, 1e9, &number)) {
        options->acts = (long)number;
        return number > 0;
    }
    if (strcmp(name, "--reorder-seconds") == 0) {
        return read_number(value, 3600, &options->reorder_seconds);
    }
    if (strcmp(name, "--seed") == 0 && read_number(value, 9007199254740992.0, &number)) {
        options->seed = (uint64_t)number;
        return true;
    }
    return false;
}

static int wrong_usage(const char *word, const char *value)
{
    fprintf(stderr, "altinn2-sim: %s %s is not understood; see --help\n", word, value);
    return 2;
}

static int read_options(int argc, char **argv, struct sim_options *ret_options)
{
    struct sim_options options = {.listen = "127.0.0.1:0", .push_seconds = 2, .seed = 1};
    for (int i = 1; i < argc; i += 2) {
        if (strcmp(argv[i], "--help") == 0) {
            fputs(help, stdout);
            exit(0);
        }
        if (i + 1 == argc || !read_option(&options, argv[i], argv[i + 1])) {
            return wrong_usage(argv[i], i + 1 == argc ? "" : argv[i + 1]);
        }
    }
    if (!options.dsn || options.messages.first == 0) {
        return wrong_usage("a command line without", "--dsn and --messages");
    }
    *ret_options = options;
    return 0;
}

static sync_status read_faults(struct sim *sim, struct sync_error *err)
{
    const char *name = sim->options.faults_file;
    static char text[SIMULATOR_FAULTS_BYTES_MAX + 1];
    if (!name) {
        return SYNC_OK;
    }
    sync_status status = simulator_faults_read(name, text, err);
    return sync_is_ok(status) ? faults_parse(name, "bridge", text, &sim->faults, err) : status;
}

/* Start and end. */

static sync_status start(struct sim *sim, struct sync_error *err)
{
    sync_status status = read_faults(sim, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    sim->flags = calloc(sim_message_count(sim), sizeof *sim->flags);
    struct sync_db *db = sim->flags ? simulator_connect(&sim->common, "altinn2-sim") : NULL;
    if (!db) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_DB_UNREACHABLE,
                         "start: no database or no memory");
    }
    status = sim_tables_prepare(sim, db, err);
    while (status.class == SYNC_CLASS_RETRY) { /* PostgreSQL may be killed just now */
        simulator_database_failed(&sim->common, "tables", err);
        status = sim_tables_prepare(sim, db, err);
    }
    sync_db_free(&db);
    status = sync_is_ok(status) ? sim_bridge_new(sim, err) : status;
    if (!sync_is_ok(status)) {
        return status;
    }
    struct sync_http_server_options options = {.listen = sim->options.listen,
                                               .body_bytes_max = 65536,
                                               .connections_max = 128,
                                               .handler = sim_handle,
                                               .context = sim};
    return sync_http_server_new(&options, &sim->server, err);
}

static int run(struct sim *sim)
{
    sigset_t signals;
    struct sync_error err = {0};
    simulator_block_signals(&signals);
    sim->common.dsn = sim->options.dsn;
    sim->common.started_us = sync_clock_monotonic_us();
    sync_status status = start(sim, &err);
    if (!sync_is_ok(status)) {
        fprintf(stderr, "altinn2-sim: %s\n", err.text);
        return err.code == SYNC_CODE_SYNTAX || err.code == SYNC_CODE_FILE ? 2 : 1;
    }
    pthread_t threads[3];
    void *(*const parts[])(void *) = {sim_act, sim_push, sim_answer};
    atomic_store(&sim->common.acting, sim->options.rate > 0);
    size_t started = 0;
    for (size_t i = 0; i < 3; i++) {
        bool idle = (parts[i] == sim_push && !sim->options.push_url) ||
                    (parts[i] == sim_act && sim->options.rate <= 0);
        if (!idle && pthread_create(&threads[started], NULL, parts[i], sim) == 0) {
            started++;
        }
    }
    sync_log(SYNC_INFO, "ready", SYNC_LOG_TEXT("http", sync_http_server_address(sim->server)),
             SYNC_LOG_NUMBER("messages", (int64_t)sim_message_count(sim)),
             SYNC_LOG_NUMBER("seed", (int64_t)sim->options.seed));
    simulator_wait_for_end(&sim->common, &signals, &sim->counters.acts);
    for (size_t i = 0; i < started; i++) {
        pthread_join(threads[i], NULL);
    }
    sync_http_server_free(&sim->server);
    sim_bridge_free(sim);
    free(sim->flags);
    return 0;
}

int main(int argc, char **argv)
{
    static struct sim sim;
    int code = read_options(argc, argv, &sim.options);
    if (code != 0) {
        return code;
    }
    sync_log_init("altinn2-sim", SYNC_INFO);
    return run(&sim);
}
