/* Shared by the files of the verb "status" (status*.c) and by nobody else. */
#ifndef SYNC_CLI_STATUS_H
#define SYNC_CLI_STATUS_H
#include "homes.h"

#include "../runtime/kafka.h"
#include "../runtime/postgres.h"
#include <altinn_sync/processor.h>

#define STATUS_ROUTES_MAX    16
#define STATUS_TARGETS_MAX   16
#define STATUS_SOURCES_MAX   16
#define STATUS_HISTORY_MAX   24 /* rates of the last ticks, for the small curve */
#define STATUS_EFFECT_STATES 7
#define STATUS_PROCESSES_MAX 16
#define STATUS_UNKNOWN       INT64_C(-1)

/* One scope: a route, or a replay of one. */
struct status_route {
    char scope[96];
    const char *home;               /* where its rows stand */
    const struct sync_route *route; /* NULL: not in this binary */
    int32_t partitions;             /* claimed ones */
    int64_t applied_records;        /* positions - first positions */
    int64_t lag;                    /* records behind the end of the topic; STATUS_UNKNOWN */
    int64_t outcomes[SYNC_OUTCOME_COUNT];
    int64_t held, held_since_us, parked,
        parked_since_us; /* open now; since: the oldest, 0 = none */
    int64_t paused_us;   /* since when an operator has it paused; 0 = it is not */
    char pause_reason[160];
    int64_t yields_us;  /* since when it gives way to a live route; 0 = it does not */
    char yields_to[96]; /* that route */
    bool yields_slow;   /* because its own batches are slow, not because live is behind */
    double rate;        /* records per second; < 0: not known yet */
    double history[STATUS_HISTORY_MAX];
    int history_count;
};

struct status_target {
    char name[64];
    const char *home;
    int state;                             /* of sync.target: 0 open 1 stopped 2 closed */
    int64_t effects[STATUS_EFFECT_STATES]; /* by state of sync.outbox */
    int64_t oldest_us;                     /* waiting or sent; 0 = none */
};

struct status_source {
    char name[64], slot[64];
    int64_t behind_bytes; /* STATUS_UNKNOWN: no slot */
    bool has_slot, slot_active, slot_lost;
    int64_t updated_us;
};

/* One running process, as its own pages tell. */
struct status_process {
    char address[96], name[64]; /* name: of its route or source; the address until it is known */
    bool reachable, ready;
    char reason[96];               /* not ready: first line of /readyz */
    double oldest_s, p50_s, p99_s; /* < 0: not known */
    int64_t rebalances, fenced, retries;
};

/* One look. */
struct status_snapshot {
    int64_t now_us;   /* the server's clock */
    bool homes_shown; /* of several homes: what may stand in two of them says in which */
    struct status_route routes[STATUS_ROUTES_MAX];
    size_t route_count;
    struct status_target targets[STATUS_TARGETS_MAX];
    size_t target_count;
    struct status_source sources[STATUS_SOURCES_MAX];
    size_t source_count;
    struct status_process processes[STATUS_PROCESSES_MAX];
    size_t process_count;
    char database_fault[256], kafka_fault[256]; /* "" = answered */
};

struct status_reader {
    struct homes homes;
    struct sync_db *dbs[SYNC_HOMES_MAX]; /* in the order of homes */
    struct sync_kafka_looker *looker;
    int timeout_ms;
    int64_t last_tick_us; /* monotonic */
    int64_t slow_next_us; /* what reads every row that it counts is read seldom */
};

/* Makes handles and contacts nobody yet. Fails: FATAL config or insecure. */
sync_status status_reader_open(const struct sync_cli *cli, const struct homes *homes,
                               struct status_reader *ret_reader, struct sync_error *err);
/* Also of a reader that is half open. */
void status_reader_close(struct status_reader *reader);
/*
 * Looks again; what snapshot held before serves for rates, and for what cannot be read now. A home
 * that does not answer, and the broker, are noted in the snapshot.
 * Fails: class of the failure when no home answers.
 */
sync_status status_read(struct status_reader *reader, struct status_snapshot *snapshot,
                        struct sync_error *err);

/* Takes "host:port,host:port". False when one is malformed or there are too many. */
bool status_processes_take(const char *list, struct status_snapshot *snapshot);
/* Asks every process for /metrics and /readyz. Blocks: at most timeout_ms for each. */
void status_processes_read(struct status_snapshot *snapshot, int timeout_ms);

/* Records of a backlog still to come at the rate of the last ticks; < 0: not known. */
double status_eta_s(const struct status_route *route);

/* 80 columns; returns the number of lines. */
int status_draw(const struct status_snapshot *snapshot, bool colors, FILE *out);
/* One line per route, for logs. */
void status_print_lines(const struct status_snapshot *snapshot, FILE *out);
void status_print_json(const struct status_snapshot *snapshot, FILE *out);
#endif
