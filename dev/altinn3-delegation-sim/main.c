/*
 * altinn3-delegation-sim: people and clean-up jobs who give and take access in a simulated Altinn
 * 3, on its real tables. Ends on SIGTERM, stops acting on SIGUSR1, after --acts or after
 * --act-seconds. Not here: who does what (acts.c), what is written (schema.sql).
 */
#include "../simulator/pace.h"
#include "sim.h"

#include <poll.h>
#include <runtime/clock.h>
#include <runtime/log.h>
#include <signal.h>
#include <stdlib.h>

#define RETRY_MS 200

static const char *const help =
    "Usage: altinn3-delegation-sim --dsn DSN --schema FILE --parties N --resources N\n"
    "                              --keys FIRST-LAST [OPTIONS]\n"
    "\n"
    "  --dsn DSN                  database of Altinn 3 authorization\n"
    "  --schema FILE              schema.sql of this program\n"
    "  --parties N, --resources N  as dev-make-delegations was told\n"
    "  --keys FIRST-LAST          numbers of the keys that people act on\n"
    "  --rate N                   acts in a second (20)\n"
    "  --acts N                   stop after so many acts that changed something\n"
    "  --act-seconds N            stop after so long (they act until SIGUSR1)\n"
    "  --machine-percent N        acts of clean-up jobs (10)\n"
    "  --skew-seconds N           the times it stamps are so much ahead; may be negative (0)\n"
    "  --faults FILE              lines such as \"at 20s for 10s altinn3 pause\"\n"
    "  --seed N                   of everything that is chosen (1)\n"
    "\n"
    "The journal is altinn3delegations.act. A deletion is stamped by the server: no skew.\n";

struct sim {
    const char *dsn, *schema_file, *faults_file;
    struct sim_actor actor;
    double acts_max, act_seconds; /* 0 = no end */
    uint64_t seed;
    struct sync_db *db;
    struct simulator_pace pace;
    bool has_stopped;
    long acts, idle, refused, retries;
};

static volatile sig_atomic_t asked_to_end, asked_to_stop;

static void note_signal(int number)
{
    if (number == SIGUSR1) {
        asked_to_stop = 1;
    } else {
        asked_to_end = 1;
    }
}

static void say(const struct sim *sim, const char *word)
{
    sync_log(SYNC_INFO, word, SYNC_LOG_NUMBER("seed", (int64_t)sim->seed),
             SYNC_LOG_NUMBER("acts", sim->acts), SYNC_LOG_NUMBER("idle", sim->idle),
             SYNC_LOG_NUMBER("refused", sim->refused), SYNC_LOG_NUMBER("retries", sim->retries));
}

/* An outage is waited for; data that refuse an act are somebody else's faster one. */
static bool judge(struct sim *sim, sync_status status, const struct sync_error *err)
{
    if (status.class == SYNC_CLASS_FATAL) {
        (void)fprintf(stderr, "altinn3-delegation-sim: %s\n", err->text);
        return false;
    }
    sim->refused += status.class == SYNC_CLASS_PARK || err->code == SYNC_CODE_DB_ROW_GONE;
    if (status.class == SYNC_CLASS_RETRY && err->code != SYNC_CODE_DB_ROW_GONE) {
        sim->retries++;
        (void)poll(NULL, 0, RETRY_MS);
    }
    return true;
}

static bool act(struct sim *sim)
{
    struct sync_error err = {0};
    bool changed = false;
    sync_status status = sim_act(&sim->actor, sim->db, sync_clock_wall_us(), &changed, &err);
    sim->acts += changed;
    sim->idle += sync_is_ok(status) && !changed;
    return sync_is_ok(status) || judge(sim, status, &err);
}

static bool turn(struct sim *sim)
{
    int64_t since_us = sync_clock_monotonic_us() - sim->pace.begun_us;
    bool is_over = asked_to_stop || (sim->acts_max > 0 && (double)sim->acts >= sim->acts_max) ||
                   (sim->act_seconds > 0 && (double)since_us >= sim->act_seconds * 1e6);
    if (is_over && !sim->has_stopped) {
        sim->has_stopped = true;
        say(sim, "acts_stopped");
    }
    return !simulator_pace_due(&sim->pace, is_over) || act(sim);
}

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

static bool read_text(struct sim *sim, const char *name, const char *value)
{
    const struct {
        const char *name;
        const char **text;
    } rows[] = {
        {"--dsn", &sim->dsn}, {"--schema", &sim->schema_file}, {"--faults", &sim->faults_file}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(name, rows[i].name) == 0) {
            *rows[i].text = value;
            return value[0] != '\0';
        }
    }
    return false;
}

static bool read_keys(struct sim_actor *actor, const char *value)
{
    char tail = 0;
    long long first = 0, last = 0;
    if (sscanf(value, "%lld-%lld%c", &first, &last, &tail) != 2 || first < 0 || last < first ||
        last >= INT32_MAX) {
        return false;
    }
    actor->first_key = first;
    actor->last_key = last;
    return true;
}

static bool read_option(struct sim *sim, const char *name, const char *value)
{
    double parties = sim->actor.size.parties, resources = sim->actor.size.resources;
    double machine = sim->actor.machine_percent, seed = (double)sim->seed;
    const struct {
        const char *name;
        double min, max, *number;
    } rows[] = {{"--parties", 4, 1e7, &parties},
                {"--resources", 5, 10000, &resources},
                {"--rate", 0, 100000, &sim->pace.rate},
                {"--acts", 0, 1e9, &sim->acts_max},
                {"--act-seconds", 0, 1e6, &sim->act_seconds},
                {"--machine-percent", 0, 100, &machine},
                {"--skew-seconds", -60, 60, &sim->actor.skew_seconds},
                {"--seed", 0, 9007199254740992.0, &seed}};
    bool good =
        strcmp(name, "--keys") == 0 ? read_keys(&sim->actor, value) : read_text(sim, name, value);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(name, rows[i].name) == 0) {
            good = read_number(value, rows[i].min, rows[i].max, rows[i].number);
        }
    }
    sim->actor.size.parties = (int32_t)parties;
    sim->actor.size.resources = (int32_t)resources;
    sim->actor.machine_percent = (int)machine;
    sim->seed = (uint64_t)seed;
    return good;
}

static int read_options(int argc, char **argv, struct sim *sim)
{
    for (int i = 1; i < argc; i += 2) {
        if (strcmp(argv[i], "--help") == 0) {
            (void)fputs(help, stdout);
            exit(0);
        }
        if (i + 1 == argc || !read_option(sim, argv[i], argv[i + 1])) {
            (void)fprintf(stderr, "altinn3-delegation-sim: %s %s is not understood; see --help\n",
                          argv[i], i + 1 < argc ? argv[i + 1] : "");
            return 2;
        }
    }
    const struct delegations_size *size = &sim->actor.size;
    if (!sim->dsn || !sim->schema_file || size->parties < 4 || size->parties % 2 != 0 ||
        size->resources % DELEGATIONS_RESOURCE_KINDS != 0 || sim->actor.last_key == 0) {
        (void)fprintf(stderr, "altinn3-delegation-sim: --dsn, --schema, --parties, --resources and "
                              "--keys are needed; see --help\n");
        return 2;
    }
    return 0;
}

/* Waits for the database as long as it takes. */
static bool prepare(struct sim *sim)
{
    struct sync_error err = {0};
    sync_status status = {SYNC_CLASS_RETRY};
    while (status.class == SYNC_CLASS_RETRY && !asked_to_end) {
        status = sim_prepare(sim->db, sim->schema_file, &err);
        if (!sync_is_ok(status) && !judge(sim, status, &err)) {
            return false;
        }
    }
    return true;
}

static int run(struct sim *sim)
{
    bool good = prepare(sim);
    simulator_pace_begin(&sim->pace);
    if (good) {
        say(sim, "ready");
    }
    while (good && !asked_to_end) {
        good = turn(sim);
    }
    say(sim, "done");
    return good ? 0 : 1;
}

int main(int argc, char **argv)
{
    static struct sim sim = {.pace = {.rate = 20}, .seed = 1, .actor = {.machine_percent = 10}};
    struct sync_error err = {0};
    int code = read_options(argc, argv, &sim);
    if (code != 0 || (sim.faults_file &&
                      !simulator_pace_read(&sim.pace, "altinn3-delegation-sim", sim.faults_file))) {
        return 2;
    }
    struct sigaction action = {.sa_handler = note_signal};
    (void)sigaction(SIGTERM, &action, NULL); /* fails for unknown numbers only */
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGUSR1, &action, NULL);
    sync_log_init("altinn3-delegation-sim", SYNC_INFO);
    sim.actor.random = sim.seed;
    struct sync_db_options options = {.dsn = sim.dsn, .application = "altinn3-delegation-sim"};
    if (!sync_is_ok(sync_db_new(&options, &sim.db, &err))) {
        (void)fprintf(stderr, "altinn3-delegation-sim: %s\n", err.text);
        return 2;
    }
    code = run(&sim);
    sync_db_free(&sim.db);
    return code;
}
