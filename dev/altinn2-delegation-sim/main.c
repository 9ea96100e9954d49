/*
 * altinn2-delegation-sim: the delegation side of a simulated Altinn 2 for demo and tests. Users
 * give and take, a batch job and a role feed tell it, the bridge takes what Altinn 3 says. Not
 * here: any of these parts, only options, signals, start and end.
 */
#include "sim.h"

#include <math.h>
#include <runtime/clock.h>
#include <runtime/log.h>
#include <signal.h>
#include <stdlib.h>

#define CONNECTIONS_MAX 256
#define BODY_BYTES_MAX  65536

static const char *const help =
    "Usage: altinn2-delegation-sim --dsn DSN --schema FILE --parties N --resources N [OPTIONS]\n"
    "\n"
    "  --dsn DSN                 database for its tables (schema altinn2delegations)\n"
    "  --schema FILE             schema.sql of this program\n"
    "  --parties N, --resources N  as dev-make-delegations was told\n"
    "  --keys FIRST-LAST         numbers of the keys that users act on\n"
    "  --listen ADDRESS          bridge, role feed and /sim/state (127.0.0.1:0)\n"
    "  --command-path PATH       of the command endpoint; without it there is none\n"
    "  --own-user-id N           the technical user of the bridge calls (29999999)\n"
    "  --own-party-uuid UUID     the party of that user\n"
    "  --push-url URL            base URL of the receiver; without it nothing is pushed\n"
    "  --push-token-file FILE    bearer token of the pushes\n"
    "  --push-seconds N          how often the batch job runs (1)\n"
    "  --rate N                  acts in a second (0)\n"
    "  --act-seconds N           users stop after so long (they act until SIGUSR1)\n"
    "  --acts N                  users stop after so many acts\n"
    "  --delay-seconds N         a report waits up to so long: those of other keys overtake it "
    "(0)\n"
    "  --late-seconds N          one event of the role feed in twenty shows up so much later (0)\n"
    "  --repeat-percent N        how many pushes are made twice (0)\n"
    "  --skew-seconds N          this system's clock is so much ahead; may be negative (0)\n"
    "  --page-size N             items on a page of the role feed (100)\n"
    "  --faults FILE             lines such as \"at 20s for 10s bridge 503\" or \"feed repeat "
    "1%\"\n"
    "  --seed N                  of everything that is chosen (1)\n";

/* Options. */

static bool read_number(const char *value, double min, double max, double *ret_number)
{
    char *end = NULL;
    double number = strtod(value, &end);
    if (end == value || *end != '\0' || !(number >= min) || number > max) {
        return false;
    }
    *ret_number = number;
    return true;
}

static bool read_text(const char *value, const char **ret_text)
{
    *ret_text = value;
    return value[0] != '\0';
}

static bool read_keys(struct sim_options *options, const char *value)
{
    char tail = 0;
    long long first = 0, last = 0;
    if (sscanf(value, "%lld-%lld%c", &first, &last, &tail) != 2 || first < 0 || last < first ||
        last >= INT32_MAX) {
        return false;
    }
    options->first_key = first;
    options->last_key = last;
    return true;
}

static bool read_text_option(struct sim_options *options, const char *name, const char *value,
                             bool *ret_known)
{
    const struct {
        const char *name;
        const char **text;
    } rows[] = {
        {"--dsn", &options->dsn},           {"--schema", &options->schema_file},
        {"--listen", &options->listen},     {"--command-path", &options->command_path},
        {"--push-url", &options->push_url}, {"--push-token-file", &options->push_token_file},
        {"--faults", &options->faults_file}};
    *ret_known = true;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(name, rows[i].name) == 0) {
            return read_text(value, rows[i].text);
        }
    }
    *ret_known = false;
    return false;
}

static bool read_real_option(struct sim_options *options, const char *name, const char *value,
                             bool *ret_known)
{
    const struct {
        const char *name;
        double min, max, *number;
    } rows[] = {{"--push-seconds", 0.05, 3600, &options->push_seconds},
                {"--rate", 0, 100000, &options->rate},
                {"--delay-seconds", 0, 3600, &options->delay_seconds},
                {"--late-seconds", 0, 3600, &options->late_seconds},
                {"--repeat-percent", 0, 100, &options->repeat_percent},
                {"--skew-seconds", -60, 60, &options->skew_seconds}};
    *ret_known = true;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(name, rows[i].name) == 0) {
            return read_number(value, rows[i].min, rows[i].max, rows[i].number);
        }
    }
    *ret_known = false;
    return false;
}

/* One option with its value; false when either is not understood. */
static bool read_option(struct sim_options *options, const char *name, const char *value)
{
    double number = 0;
    bool known = false;
    bool good = read_text_option(options, name, value, &known);
    if (!known) {
        good = read_real_option(options, name, value, &known);
    }
    if (known) {
        return good;
    }
    if (strcmp(name, "--keys") == 0) {
        return read_keys(options, value);
    }
    if (strcmp(name, "--own-party-uuid") == 0) {
        return sync_uuid_parse(sync_bytes_text(value), &options->own_party);
    }
    if (!read_number(value, 0, 9007199254740992.0, &number)) {
        return false;
    }
    if (strcmp(name, "--seed") == 0) {
        options->seed = (uint64_t)number;
    } else if (number > 1e9) {
        return false;
    } else if (strcmp(name, "--parties") == 0) {
        options->size.parties = (int32_t)number;
    } else if (strcmp(name, "--resources") == 0) {
        options->size.resources = (int32_t)number;
    } else if (strcmp(name, "--own-user-id") == 0) {
        options->own_user_id = (int32_t)number;
    } else if (strcmp(name, "--act-seconds") == 0) {
        options->act_seconds = (long)number;
    } else if (strcmp(name, "--acts") == 0) {
        options->acts = (long)number;
    } else if (strcmp(name, "--page-size") == 0) {
        options->page_size = (int)number;
    } else {
        return false;
    }
    return true;
}

static int wrong_usage(const char *word, const char *value)
{
    (void)fprintf(stderr, "altinn2-delegation-sim: %s %s is not understood; see --help\n", word,
                  value);
    return 2;
}

static int read_options(int argc, char **argv, struct sim_options *ret_options)
{
    struct sim_options options = {.listen = "127.0.0.1:0",
                                  .push_seconds = 1,
                                  .page_size = 100,
                                  .seed = 1,
                                  .own_user_id = SIM_OWN_USER_ID,
                                  .own_party = population_id("bridge", 1)};
    for (int i = 1; i < argc; i += 2) {
        if (strcmp(argv[i], "--help") == 0) {
            (void)fputs(help, stdout);
            exit(0);
        }
        if (i + 1 == argc || !read_option(&options, argv[i], argv[i + 1])) {
            return wrong_usage(argv[i], i + 1 == argc ? "" : argv[i + 1]);
        }
    }
    if (!options.dsn || !options.schema_file || options.size.parties < 4 ||
        options.size.parties % 2 != 0 || options.size.resources < DELEGATIONS_RESOURCE_KINDS ||
        options.size.resources % DELEGATIONS_RESOURCE_KINDS != 0 || options.page_size < 1) {
        return wrong_usage("a command line without", "--dsn, --schema, --parties and --resources");
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
    if (sync_is_ok(status)) {
        status = faults_parse(name, "bridge", text, &sim->bridge_faults, err);
    }
    return sync_is_ok(status) ? faults_parse(name, "feed", text, &sim->feed_faults, err) : status;
}

/* Shared by the threads. */

int64_t sim_clock_us(const struct sim *sim)
{
    return sync_clock_wall_us() + (int64_t)(sim->options.skew_seconds * 1e6);
}

/* Start and end. */

static sync_status start(struct sim *sim, struct sync_error *err)
{
    sync_status status = read_faults(sim, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    struct sync_db *db = simulator_connect(&sim->common, "altinn2-delegation-sim");
    if (!db) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_DB_UNREACHABLE, "start: no database");
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
                                               .body_bytes_max = BODY_BYTES_MAX,
                                               .connections_max = CONNECTIONS_MAX,
                                               .handler = sim_handle,
                                               .context = sim};
    return sync_http_server_new(&options, &sim->server, err);
}

static size_t start_threads(struct sim *sim, pthread_t threads[static 4])
{
    void *(*const parts[])(void *) = {sim_act, sim_push, sim_answer, sim_export};
    bool acts = sim->options.rate > 0 && sim->options.last_key > 0;
    size_t started = 0;
    atomic_store(&sim->common.acting, acts);
    for (size_t i = 0; i < 4; i++) {
        bool tells = parts[i] == sim_push || parts[i] == sim_export;
        bool idle = (tells && !sim->options.push_url) || (parts[i] == sim_act && !acts);
        if (!idle && pthread_create(&threads[started], NULL, parts[i], sim) == 0) {
            started++;
        }
    }
    return started;
}

static int run(struct sim *sim)
{
    sigset_t signals;
    struct sync_error err = {0};
    simulator_block_signals(&signals);
    sim->common.dsn = sim->options.dsn;
    sim->common.started_us = sync_clock_monotonic_us();
    pthread_mutex_init(&sim->truth, NULL);
    sync_status status = start(sim, &err);
    if (!sync_is_ok(status)) {
        (void)fprintf(stderr, "altinn2-delegation-sim: %s\n", err.text);
        return err.code == SYNC_CODE_SYNTAX || err.code == SYNC_CODE_FILE ? 2 : 1;
    }
    pthread_t threads[4];
    size_t started = start_threads(sim, threads);
    sync_log(SYNC_INFO, "ready", SYNC_LOG_TEXT("http", sync_http_server_address(sim->server)),
             SYNC_LOG_NUMBER("seed", (int64_t)sim->options.seed));
    simulator_wait_for_end(&sim->common, &signals, &sim->counters.acts);
    for (size_t i = 0; i < started; i++) {
        pthread_join(threads[i], NULL);
    }
    sync_http_server_free(&sim->server);
    sim_bridge_free(sim);
    pthread_mutex_destroy(&sim->truth);
    return 0;
}

int main(int argc, char **argv)
{
    static struct sim sim;
    int code = read_options(argc, argv, &sim.options);
    if (code != 0) {
        return code;
    }
    sync_log_init("altinn2-delegation-sim", SYNC_INFO);
    return run(&sim);
}
