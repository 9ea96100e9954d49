/*
 * The simulated Altinn 3: users who act through its application, on the real tables. Ends on
 * SIGTERM, stops acting on SIGUSR1 or after --act-seconds. Not here: what is written
 * (application.c), who acts (actor.c).
 */
#include "../simulator/pace.h"
#include "actor.h"

#include <altinn_sync/correspondence_status.h>

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <runtime/clock.h>
#include <signal.h>
#include <stdlib.h>

#define RETRY_MS 200

struct options {
    const char *dsn, *faults;
    uint64_t seed;
    double rate;
    struct population_range messages;
    int32_t insert_first, insert_count;
    int64_t insert_at_s, act_s; /* act_s -1: until told */
};

struct sim {
    struct options options;
    struct sync_db *db;
    struct actor actor;
    struct simulator_pace pace;
    int64_t next_insert;
    bool has_stopped;
    long acts, doubles, refused, retries;
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

static void print_line(const struct sim *sim, const char *word)
{
    printf(
        "{\"msg\":\"%s\",\"component\":\"altinn3-sim\",\"seed\":%llu,\"acts\":%ld,\"doubles\":%ld,"
        "\"refused\":%ld,\"inserted\":%lld,\"retries\":%ld}\n",
        word, (unsigned long long)sim->options.seed, sim->acts, sim->doubles, sim->refused,
        (long long)sim->next_insert, sim->retries);
    fflush(stdout);
}

/* An outage is waited for, data that is refused is counted; anything else ends the program. */
static bool judge(struct sim *sim, sync_status status, const struct sync_error *err)
{
    if (status.class == SYNC_CLASS_FATAL) {
        fprintf(stderr, "altinn3-sim: %s\n", err->text);
        return false;
    }
    if (status.class == SYNC_CLASS_RETRY) {
        sim->retries++;
        (void)poll(NULL, 0, RETRY_MS);
    }
    return true;
}

static bool act_once(struct sim *sim, const struct application_act *act, bool *ret_done)
{
    struct sync_error err = {0};
    sync_status status = application_act(sim->db, act, ret_done, &err);
    sim->refused += sync_is_ok(status) && !*ret_done;
    return judge(sim, status, &err);
}

static bool act(struct sim *sim)
{
    bool done = false;
    struct application_act first = actor_next(&sim->actor, sync_clock_wall_us());
    bool doubles = actor_doubles(&sim->actor) && first.kind != STATUS_PURGED_BY_RECIPIENT &&
                   first.kind != STATUS_PURGED_BY_OWNER;
    if (!act_once(sim, &first, &done)) {
        return false;
    }
    sim->acts += done;
    if (!done || !doubles) {
        return true;
    }
    struct application_act second = actor_double_of(&first);
    bool ok = act_once(sim, &second, &done);
    sim->doubles += done;
    return ok;
}

/* One message a turn, so that users go on acting meanwhile. */
static bool insert_next(struct sim *sim)
{
    struct sync_error err = {0};
    bool done = false;
    int32_t id = sim->options.insert_first + (int32_t)sim->next_insert;
    sync_status status = application_insert_message(sim->db, id, sync_clock_wall_us(), &done, &err);
    if (sync_is_ok(status)) {
        sim->next_insert++;
        sim->actor.inserted_count = (int32_t)sim->next_insert;
        if (sim->next_insert == sim->options.insert_count) {
            print_line(sim, "inserted");
        }
    }
    return judge(sim, status, &err);
}

static bool turn(struct sim *sim)
{
    int64_t since_us = sync_clock_monotonic_us() - sim->pace.begun_us;
    const struct options *options = &sim->options;
    bool is_over = asked_to_stop || (options->act_s >= 0 && since_us >= options->act_s * 1000000);
    if (is_over && !sim->has_stopped) {
        sim->has_stopped = true;
        print_line(sim, "stopped_acting");
    }
    if (sim->next_insert < options->insert_count && since_us >= options->insert_at_s * 1000000) {
        return insert_next(sim);
    }
    return !simulator_pace_due(&sim->pace, is_over) || act(sim);
}

/* Waits for the database as long as it takes. */
static bool prepare(struct sim *sim)
{
    while (!asked_to_end) {
        struct sync_error err = {0};
        sync_status status = application_prepare(sim->db, &err);
        if (sync_is_ok(status)) {
            return true;
        }
        if (!judge(sim, status, &err)) {
            return false;
        }
    }
    return true;
}

static const char help[] =
    "usage: altinn3-sim --dsn DSN --messages FIRST-LAST [--rate N] [--seed N] [--act-seconds N]\n"
    "                   [--insert-from ID --insert-count N --insert-at SECONDS] [--faults FILE]\n"
    "\n"
    "Users of Altinn 3 act on messages, given by their Altinn 2 ids: N acts a second (20), half "
    "of\n"
    "them reads, one in twenty reported twice. --insert-…: the application itself inserts "
    "messages.\n"
    "The journal is altinn3sim.act. SIGUSR1 stops acting, SIGTERM ends the program.\n";

static bool take_number(const char *text, int64_t max, int64_t *ret_number)
{
    char *end = NULL;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || number < 0 || number > max) {
        return false;
    }
    *ret_number = number;
    return true;
}

static bool take_option(struct options *options, int letter, const char *value)
{
    int64_t number = 0;
    char *end = NULL;
    switch (letter) {
    case 'd':
        options->dsn = value;
        return true;
    case 'f':
        options->faults = value;
        return true;
    case 'm':
        return population_range_parse(value, &options->messages);
    case 'r':
        options->rate = strtod(value, &end);
        return end != value && *end == '\0' && options->rate >= 0 && options->rate <= 100000;
    case 'i':
        if (!take_number(value, INT32_MAX - 1, &number)) {
            return false;
        }
        options->insert_first = (int32_t)number;
        return true;
    case 'n':
        if (!take_number(value, 1000000, &number)) {
            return false;
        }
        options->insert_count = (int32_t)number;
        return true;
    case 's':
        if (!take_number(value, INT64_MAX, &number)) {
            return false;
        }
        options->seed = (uint64_t)number;
        return true;
    default:
        return take_number(value, 1000000, letter == 't' ? &options->insert_at_s : &options->act_s);
    }
}

/* 0 go on, -1 help was asked for, 2 wrong usage. */
static int parse_options(int argc, char **argv, struct options *ret_options)
{
    static const struct option table[] = {
        {"dsn", required_argument, NULL, 'd'},
        {"messages", required_argument, NULL, 'm'},
        {"rate", required_argument, NULL, 'r'},
        {"seed", required_argument, NULL, 's'},
        {"act-seconds", required_argument, NULL, 'a'},
        {"insert-from", required_argument, NULL, 'i'},
        {"insert-count", required_argument, NULL, 'n'},
        {"insert-at", required_argument, NULL, 't'},
        {"faults", required_argument, NULL, 'f'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    *ret_options = (struct options){.rate = 20, .seed = 1, .act_s = -1};
    for (int letter = 0; (letter = getopt_long(argc, argv, "h", table, NULL)) != -1;) {
        if (letter == 'h') {
            fputs(help, stdout);
            return -1;
        }
        if (letter == '?') {
            return 2;
        }
        if (!take_option(ret_options, letter, optarg)) {
            fprintf(stderr, "altinn3-sim: \"%s\" is not a value of that flag; see --help\n",
                    optarg);
            return 2;
        }
    }
    if (!ret_options->dsn || ret_options->messages.first == 0 || optind != argc) {
        fprintf(stderr, "altinn3-sim: --dsn and --messages are needed, and nothing but flags; see "
                        "--help\n");
        return 2;
    }
    return 0;
}

static int run(struct sim *sim)
{
    bool ok = prepare(sim);
    simulator_pace_begin(&sim->pace);
    if (ok) {
        print_line(sim, "ready");
    }
    while (ok && !asked_to_end) {
        ok = turn(sim);
    }
    print_line(sim, "done");
    return ok ? 0 : 1;
}

int main(int argc, char **argv)
{
    static struct sim sim;
    struct sync_error err = {0};
    int code = parse_options(argc, argv, &sim.options);
    if (code != 0) {
        return code == -1 ? 0 : code;
    }
    sim.pace.rate = sim.options.rate;
    if (sim.options.faults && !simulator_pace_read(&sim.pace, "altinn3-sim", sim.options.faults)) {
        return 2;
    }
    struct sigaction action = {.sa_handler = note_signal};
    (void)sigaction(SIGTERM, &action, NULL); /* fails for unknown numbers only */
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGUSR1, &action, NULL);
    actor_init(&sim.actor, sim.options.seed, sim.options.messages);
    sim.actor.inserted_first = sim.options.insert_first;
    struct sync_db_options options = {.dsn = sim.options.dsn, .application = "altinn3-sim"};
    if (!sync_is_ok(sync_db_new(&options, &sim.db, &err))) {
        fprintf(stderr, "altinn3-sim: %s\n", err.text);
        return 2;
    }
    code = run(&sim);
    sync_db_free(&sim.db);
    return code;
}
