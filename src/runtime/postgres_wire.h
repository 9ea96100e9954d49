/*
 * What the files postgres*.c share: the handle and the few calls that reach libpq. Nobody else
 * includes this.
 */
#ifndef SYNC_RUNTIME_POSTGRES_WIRE_H
#define SYNC_RUNTIME_POSTGRES_WIRE_H

#include "../core/limits.h"
#include "postgres.h"

/* hurry puts one before each; a transaction's begin is two, its end is one */
#define SYNC_WIRE_CALLS_MAX (2 * SYNC_PIPELINE_CALLS_MAX + 2)

struct sync_db {
    char *dsn, *application, *origin_prefix; /* copies; origin_prefix NULL = none */
    const char *setting;                     /* static */
    int origin_pool;
    int origin;    /* number of the origin that this session holds, 0 = none */
    void *conn;    /* PGconn; NULL = not connected */
    bool usable;   /* session is set up: settings pinned, origin taken */
    int host_next; /* host that answered last; the others are tried after it */
    struct sync_statement prepared[SYNC_DB_STATEMENTS_MAX];
    int prepared_count;
    char sqlstate[6], constraint[64]; /* of the last failure */
    size_t failed_call;               /* of the last trip: which call the server refused */
    bool in_txn;                      /* begun and neither committed nor rolled back */
    bool wait_cancelled; /* the server warned that it stopped waiting for a synchronous standby */
    int statement_ms;    /* statement time-out in force */
    int64_t begun_server_us, begun_monotonic_us; /* the same moment on two clocks */
    int64_t hurry_from_us;                       /* server's time of sync_txn_hurry; 0 = no hurry */
};

/* What a DSN leads to, with service and PG* variables resolved; lists as libpq takes them. */
struct sync_dsn {
    char host[1024], hostaddr[1024], port[128], sslmode[32];
    bool has_password; /* in the text itself */
    bool too_long;     /* a value did not fit */
};
/* Reads it without opening anything. False when it does not parse or its service is not known. */
bool sync_wire_dsn_read(const char *text, struct sync_dsn *ret_dsn);

/* One host of a DSN. chosen = false: the DSN names one only, take it as it stands. */
struct sync_dsn_host {
    bool chosen;
    char host[256], hostaddr[64], port[8];
};
struct sync_dsn_hosts {
    struct sync_dsn_host items[SYNC_DB_HOSTS_MAX];
    int count;
};
/* Checks a DSN as sync_db_dsn_check does and takes its hosts apart. */
sync_status sync_dsn_hosts_read(const char *text, const char *setting,
                                struct sync_dsn_hosts *ret_hosts, struct sync_error *err);

/* Opens the wire to one of the hosts, before the session is set up. */
sync_status sync_wire_open(struct sync_db *db, struct sync_error *err);

/* Sets search_path, time-outs and origin of a fresh connection and checks the server's settings. */
sync_status sync_session_begin(struct sync_db *db, struct sync_error *err);

/*
 * Runs calls in one round trip, without connecting first and without hurry.
 * wait_ms: for all answers together.  Fails: as sync_db_pipeline.
 */
sync_status sync_wire_calls(struct sync_db *db, const struct sync_call *calls, size_t count,
                            int wait_ms, struct sync_result *ret_results, struct sync_error *err);

/* Whether the server ended this call with the command tag ("COMMIT"). */
bool sync_wire_has_tag(const struct sync_result *result, const char *tag);

/*
 * One simple query, which may hold several statements. ret_tag gets the last command tag
 * ("COMMIT"). Fails: as sync_db_exec.
 */
#define SYNC_WIRE_TAG 32
sync_status sync_wire_script(struct sync_db *db, const char *name, const char *sql, int wait_ms,
                             char ret_tag[static SYNC_WIRE_TAG], struct sync_error *err);

/* True when the server holds a transaction open, also a failed one. */
bool sync_wire_in_txn(const struct sync_db *db);

/* One round trip that began at start_us (monotonic) has its answer. */
void sync_wire_measure(const char *name, int64_t start_us);
/* A session was set up (1) or is gone (-1). */
void sync_wire_count_sessions(int change);

#endif
