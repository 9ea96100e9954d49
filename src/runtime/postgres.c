/*
 * The wire to PostgreSQL: opening it, one round trip of prepared statements, simple queries, rows.
 * The only file of the runtime that sees libpq. Not here: session settings and origins
 * (postgres_session.c), transactions (postgres_txn.c), parameters (postgres_params.c), classes
 * (postgres_class.c).
 *
 * Every wait has a deadline. When it passes, the connection is dropped and counts as lost: whoever
 * comes back later can only find out by asking the owner row.
 */
#include "postgres_wire.h"

#include "clock.h"
#include "config.h"
#include "log.h"

#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#define SERVER_VERSION_MIN 150000
#define US_PER_MS          1000
#define TEXT_MAX           200 /* of a server's message inside our error text */

/* Handle ------------------------------------------------------------------------------------ */

static char *copy_text(const char *text)
{
    char *copy = text == NULL ? NULL : strdup(text);
    SYNC_ASSERT(copy != NULL || text == NULL);
    return copy;
}

sync_status sync_db_new(const struct sync_db_options *options, struct sync_db **ret_db,
                        struct sync_error *err)
{
    const char *setting = options->setting != NULL ? options->setting : "database.dsn";
    sync_status status = sync_db_dsn_check(options->dsn, setting, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    struct sync_db *db = calloc(1, sizeof *db);
    SYNC_ASSERT(db != NULL);
    db->dsn = copy_text(options->dsn);
    db->setting = setting;
    db->application = copy_text(options->application);
    db->origin_prefix = copy_text(options->origin_prefix);
    db->origin_pool = options->origin_pool;
    db->statement_ms = SYNC_DB_STATEMENT_MS;
    *ret_db = db;
    return SYNC_OK;
}

const char *sync_db_option(const struct sync_db *db)
{
    return db->setting;
}

void sync_db_disconnect(struct sync_db *db)
{
    if (db->usable) {
        sync_wire_count_sessions(-1);
    }
    PQfinish(db->conn);
    db->conn = NULL;
    db->usable = false;
    db->prepared_count = 0;
    db->origin = 0;
}

void sync_db_free(struct sync_db **db)
{
    if (*db == NULL) {
        return;
    }
    sync_db_disconnect(*db);
    free((*db)->dsn);
    free((*db)->application);
    free((*db)->origin_prefix);
    free(*db);
    *db = NULL;
}

bool sync_db_is_connected(const struct sync_db *db)
{
    return db->usable && PQstatus(db->conn) == CONNECTION_OK;
}

const char *sync_db_sqlstate(const struct sync_db *db)
{
    return db->sqlstate;
}

const char *sync_db_library_version(void)
{
    static char text[16];
    int version = PQlibVersion();
    (void)snprintf(text, sizeof text, "%d.%d", version / 10000, version % 10000);
    return text;
}

const char *sync_db_constraint(const struct sync_db *db)
{
    return db->constraint;
}

/* Failures ---------------------------------------------------------------------------------- */

/* One line without the place in the server's source. */
static void clean_text(const char *message, size_t capacity, char *ret_text)
{
    size_t used = 0;
    for (const char *line = message; *line != '\0';) {
        size_t size = strcspn(line, "\n");
        if (size > 0 && strncmp(line, "LOCATION:", 9) != 0) {
            int added = snprintf(ret_text + used, capacity - used, "%s%.*s", used > 0 ? "; " : "",
                                 (int)size, line);
            used += (size_t)added < capacity - used ? (size_t)added : capacity - used - 1;
        }
        line += size + (line[size] == '\n');
    }
    ret_text[used] = '\0';
}

static sync_status fail_lost(struct sync_db *db, const char *name, const char *why,
                             struct sync_error *err)
{
    char text[TEXT_MAX];
    clean_text(why, sizeof text, text);
    sync_db_disconnect(db);
    db->sqlstate[0] = db->constraint[0] = '\0';
    return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_DB_UNREACHABLE, "%s: connection lost: %s",
                     name, text);
}

/* Whether the server ends the session with this error, or we must leave it. */
static bool ends_session(const char *sqlstate)
{
    return strncmp(sqlstate, "08", 2) == 0 || strncmp(sqlstate, "57P0", 4) == 0 ||
           strcmp(sqlstate, "25006") == 0 || strcmp(sqlstate, "25P03") == 0;
}

/* The messages of class 22 quote the value that was refused: it is cut off, it may be about a
 * person. */
static void primary_text(const PGresult *result, const char *sqlstate,
                         char ret_text[static TEXT_MAX])
{
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    clean_text(message == NULL ? PQresultErrorMessage(result) : message, TEXT_MAX, ret_text);
    if (strncmp(sqlstate, "22", 2) == 0) {
        ret_text[strcspn(ret_text, ":\"")] = '\0';
    }
}

static sync_status fail_result(struct sync_db *db, const char *name, const PGresult *result,
                               struct sync_error *err)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *constraint = PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME);
    if (sqlstate == NULL) { /* made by libpq itself: the connection broke */
        return fail_lost(db, name, PQresultErrorMessage(result), err);
    }
    (void)snprintf(db->sqlstate, sizeof db->sqlstate, "%s", sqlstate);
    (void)snprintf(db->constraint, sizeof db->constraint, "%s",
                   constraint == NULL ? "" : constraint);
    char text[TEXT_MAX];
    primary_text(result, sqlstate, text);
    if (ends_session(sqlstate)) {
        sync_db_disconnect(db);
    }
    enum sync_code code;
    enum sync_class class = sync_db_classify(db->sqlstate, &code);
    return sync_fail(err, class, code, "%s: %s (SQLSTATE %s)", name, text, db->sqlstate);
}

/* Waiting ----------------------------------------------------------------------------------- */

/* Notes only: a notice comes in the middle of reading an answer. */
static void on_notice(void *context, const PGresult *result)
{
    struct sync_db *db = context;
    const char *function = PQresultErrorField(result, PG_DIAG_SOURCE_FUNCTION);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    if (severity == NULL || strcmp(severity, "WARNING") != 0) {
        return;
    }
    /* The function's name is not translated; the text is the second chance behind a proxy. */
    bool cancelled = (function != NULL && strcmp(function, "SyncRepWaitForLSN") == 0) ||
                     (message != NULL && strstr(message, "synchronous replication") != NULL);
    db->wait_cancelled |= cancelled;
    sync_log(SYNC_WARN, "database_warning",
             SYNC_LOG_TEXT("code", sqlstate == NULL ? "" : sqlstate));
}

/* Waits for the socket. False when the deadline passed. */
static bool wait_socket(PGconn *conn, bool to_write, int64_t deadline_us)
{
    struct pollfd fd = {PQsocket(conn), (short)(POLLIN | (to_write ? POLLOUT : 0)), 0};
    while (fd.fd >= 0) {
        int64_t left_us = deadline_us - sync_clock_monotonic_us();
        if (left_us <= 0) {
            return false;
        }
        int ready = poll(&fd, 1, (int)(left_us / US_PER_MS + 1));
        if (ready > 0) {
            return true; /* also on an error of the socket: reading then tells */
        }
    }
    return false;
}

/* Sends what is queued and reads until one result is there; ret_result NULL = a separator. */
static bool next_result(PGconn *conn, int64_t deadline_us, PGresult **ret_result,
                        const char **ret_why)
{
    for (;;) {
        int flushed = PQflush(conn);
        if (flushed < 0) {
            *ret_why = PQerrorMessage(conn);
            return false;
        }
        if (PQisBusy(conn) == 0) {
            *ret_result = PQgetResult(conn);
            return true;
        }
        if (!wait_socket(conn, flushed > 0, deadline_us)) {
            *ret_why = "no answer in time";
            return false;
        }
        if (PQconsumeInput(conn) == 0) {
            *ret_why = PQerrorMessage(conn);
            return false;
        }
    }
}

/* Connection string ------------------------------------------------------------------------- */

static void copy_option(const PQconninfoOption *option, struct sync_dsn *dsn)
{
    const struct {
        const char *name;
        char *to;
        size_t capacity;
    } wanted[] = {
        {"host", dsn->host, sizeof dsn->host},
        {"hostaddr", dsn->hostaddr, sizeof dsn->hostaddr},
        {"port", dsn->port, sizeof dsn->port},
        {"sslmode", dsn->sslmode, sizeof dsn->sslmode},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        if (strcmp(option->keyword, wanted[i].name) == 0 && option->val != NULL) {
            int size = snprintf(wanted[i].to, wanted[i].capacity, "%s", option->val);
            dsn->too_long |= size < 0 || (size_t)size >= wanted[i].capacity;
        }
    }
}

static bool has_password(const char *text)
{
    PQconninfoOption *given = PQconninfoParse(text, NULL);
    bool found = false;
    for (PQconninfoOption *option = given; option != NULL && option->keyword != NULL; option++) {
        bool secret =
            strcmp(option->keyword, "password") == 0 || strcmp(option->keyword, "sslpassword") == 0;
        found |= secret && option->val != NULL && option->val[0] != '\0';
    }
    PQconninfoFree(given);
    return found;
}

/*
 * libpq resolves service and environment only on its way to a connection. The last value that it
 * checks is one that it refuses, so nothing is opened.
 */
bool sync_wire_dsn_read(const char *text, struct sync_dsn *ret_dsn)
{
    const char *const keywords[] = {"dbname", "target_session_attrs", NULL};
    const char *const values[] = {text, "nothing", NULL};
    memset(ret_dsn, 0, sizeof *ret_dsn);
    PQconninfoOption *given = PQconninfoParse(text, NULL);
    if (given == NULL) {
        return false;
    }
    PQconninfoFree(given);
    ret_dsn->has_password = has_password(text);
    PGconn *conn = PQconnectStartParams(keywords, values, 1);
    SYNC_ASSERT(conn != NULL && PQstatus(conn) == CONNECTION_BAD);
    bool resolved = strstr(PQerrorMessage(conn), "target_session_attrs") != NULL;
    PQconninfoOption *effective = PQconninfo(conn);
    for (PQconninfoOption *option = effective; option != NULL && option->keyword != NULL;
         option++) {
        copy_option(option, ret_dsn);
    }
    PQconninfoFree(effective);
    PQfinish(conn);
    return resolved;
}

/* Opening ----------------------------------------------------------------------------------- */

static const char *digits(int number, char buffer[static 16])
{
    (void)snprintf(buffer, 16, "%d", number);
    return buffer;
}

static PGconn *start_connection(const struct sync_db *db, const struct sync_dsn_host *host)
{
    char user_ms[16];
    const char *keywords[20] = {
        "dbname",           "application_name", "client_encoding", "target_session_attrs",
        "gssencmode",       "keepalives",       "keepalives_idle", "keepalives_interval",
        "keepalives_count", "tcp_user_timeout",
    };
    const char *values[20] = {
        db->dsn,   db->application,
        "UTF8",    "read-write",
        "disable", "1",
        "5",       "3",
        "2",       digits(SYNC_DB_TCP_USER_MS, user_ms),
    };
    int count = 10;
    if (host->chosen) {
        const char *const names[] = {"host", "hostaddr", "port"};
        const char *const texts[] = {host->host, host->hostaddr, host->port};
        for (int i = 0; i < 3; i++) {
            keywords[count] = names[i];
            values[count++] = texts[i];
        }
    }
    return PQconnectStartParams(keywords, values, 1);
}

/* Drives the handshake. True when the connection stands. */
static bool finish_connection(PGconn *conn, int64_t deadline_us)
{
    PostgresPollingStatusType need = PGRES_POLLING_WRITING;
    while (need != PGRES_POLLING_OK) {
        if (need == PGRES_POLLING_FAILED || PQsocket(conn) < 0) {
            return false;
        }
        struct pollfd fd = {PQsocket(conn), need == PGRES_POLLING_READING ? POLLIN : POLLOUT, 0};
        int64_t left_us = deadline_us - sync_clock_monotonic_us();
        if (left_us <= 0) {
            return false;
        }
        int ready = poll(&fd, 1, (int)(left_us / US_PER_MS + 1));
        if (ready > 0) {
            need = PQconnectPoll(conn);
        }
    }
    return true;
}

/* "...FATAL:  28000: role ..." at verbosity "verbose": libpq hands out no SQLSTATE before a session
 * stands. */
static bool find_sqlstate(const char **message, char ret_sqlstate[static 6])
{
    for (const char *at = strstr(*message, ":  "); at != NULL; at = strstr(at + 1, ":  ")) {
        if (strspn(at + 3, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 5 && at[8] == ':') {
            memcpy(ret_sqlstate, at + 3, 5);
            ret_sqlstate[5] = '\0';
            *message = at + 8;
            return true;
        }
    }
    return false;
}

/* No server said no: ours is the side that does not trust. libpq has no code for it. */
static bool is_tls_failure(const char *message)
{
    return strstr(message, "certificate") != NULL ||
           strstr(message, "does not support SSL") != NULL;
}

static sync_status fail_open(struct sync_db *db, const PGconn *conn, struct sync_error *err)
{
    const char *message = PQerrorMessage(conn);
    char text[TEXT_MAX], sqlstate[6];
    clean_text(message[0] == '\0' ? "no answer in time" : message, sizeof text, text);
    db->sqlstate[0] = '\0'; /* of the host before */
    /* Several addresses may have answered: only when each said no is it a no. */
    enum sync_class class = SYNC_CLASS_RETRY;
    enum sync_code code = SYNC_CODE_DB_UNREACHABLE;
    for (const char *at = message; find_sqlstate(&at, sqlstate);) {
        memcpy(db->sqlstate, sqlstate, sizeof sqlstate);
        class = sync_db_classify(sqlstate, &code);
        if (class != SYNC_CLASS_FATAL) {
            break;
        }
    }
    if (db->sqlstate[0] == '\0' && is_tls_failure(message)) {
        return sync_fail_field(err, SYNC_CLASS_FATAL, SYNC_CODE_INSECURE, db->setting,
                               "connect with %s: %.140s; check sslrootcert and the host name there",
                               db->setting, text);
    }
    if (class != SYNC_CLASS_FATAL) {
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_DB_UNREACHABLE,
                         "connect to the database: %s", text);
    }
    return sync_fail(err, SYNC_CLASS_FATAL, code,
                     "connect to the database: %s; check %s and the role", text, db->setting);
}

/* The name may have led elsewhere than when the DSN was checked. */
static bool is_wire_safe(PGconn *conn)
{
    const char *address = PQhostaddr(conn);
    return PQsslInUse(conn) != 0 || address == NULL || address[0] == '\0' ||
           sync_config_is_loopback(address);
}

static sync_status check_server(const struct sync_db *db, PGconn *conn, struct sync_error *err)
{
    if (!is_wire_safe(conn)) {
        return sync_fail_field(err, SYNC_CLASS_FATAL, SYNC_CODE_INSECURE, db->setting,
                               "connect to the database: %s led to an address that is not "
                               "loopback without TLS; set sslmode=verify-full there",
                               db->setting);
    }
    if (PQserverVersion(conn) < SERVER_VERSION_MIN || PQsetnonblocking(conn, 1) != 0) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_DB_REFUSED,
                         "connect to the database: server version %d is older than 15; use "
                         "PostgreSQL 15 or later",
                         PQserverVersion(conn));
    }
    return SYNC_OK;
}

static sync_status open_host(struct sync_db *db, const struct sync_dsn_host *host,
                             struct sync_error *err)
{
    PGconn *conn = start_connection(db, host);
    SYNC_ASSERT(conn != NULL);
    (void)PQsetErrorVerbosity(conn, PQERRORS_VERBOSE);
    (void)PQsetNoticeReceiver(conn, on_notice, db);
    int64_t deadline_us = sync_clock_monotonic_us() + SYNC_DB_CONNECT_S * 1000LL * US_PER_MS;
    sync_status status;
    if (!finish_connection(conn, deadline_us)) {
        status = fail_open(db, conn, err);
        PQfinish(conn);
        return status;
    }
    status = check_server(db, conn, err);
    if (!sync_is_ok(status)) {
        PQfinish(conn);
        return status;
    }
    db->conn = conn;
    return SYNC_OK;
}

sync_status sync_wire_open(struct sync_db *db, struct sync_error *err)
{
    struct sync_dsn_hosts hosts;
    sync_status status = sync_dsn_hosts_read(db->dsn, db->setting, &hosts, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    sync_db_disconnect(db);
    db->sqlstate[0] = db->constraint[0] = '\0';
    for (int i = 0; i < hosts.count; i++) {
        int at = (db->host_next + i) % hosts.count;
        status = open_host(db, &hosts.items[at], err);
        if (sync_is_ok(status) || status.class == SYNC_CLASS_FATAL) {
            db->host_next = at;
            return status;
        }
    }
    return status;
}

bool sync_wire_in_txn(const struct sync_db *db)
{
    PGTransactionStatusType status = PQtransactionStatus(db->conn);
    return status == PQTRANS_INTRANS || status == PQTRANS_INERROR || status == PQTRANS_ACTIVE;
}

/* One round trip of prepared statements ----------------------------------------------------- */

static bool is_prepared(const struct sync_db *db, const struct sync_statement *statement)
{
    for (int i = 0; i < db->prepared_count; i++) {
        const struct sync_statement *known = &db->prepared[i];
        if (known->name == statement->name || strcmp(known->name, statement->name) == 0) {
            SYNC_ASSERT(known->sql == statement->sql || strcmp(known->sql, statement->sql) == 0);
            return true;
        }
    }
    return false;
}

static bool send_call(struct sync_db *db, const struct sync_call *call, bool *ret_prepares)
{
    static const struct sync_params none;
    const struct sync_params *params = call->params == NULL ? &none : call->params;
    *ret_prepares = !is_prepared(db, call->statement);
    if (*ret_prepares) {
        SYNC_ASSERT(db->prepared_count < SYNC_DB_STATEMENTS_MAX);
        if (PQsendPrepare(db->conn, call->statement->name, call->statement->sql, params->count,
                          params->types) == 0) {
            return false;
        }
        db->prepared[db->prepared_count++] = *call->statement;
    }
    return PQsendQueryPrepared(db->conn, call->statement->name, params->count, params->values,
                               params->lengths, params->formats, 1) != 0;
}

static void forget_prepared(struct sync_db *db, const char *name)
{
    for (int i = 0; i < db->prepared_count; i++) {
        if (db->prepared[i].name == name) {
            db->prepared[i] = db->prepared[--db->prepared_count];
            return;
        }
    }
}

static void keep_result(struct sync_result *ret_result, PGresult *result)
{
    ret_result->handle = result;
    ret_result->rows = PQntuples(result);
    ret_result->affected = 0;
    if (strncmp(PQcmdStatus(result), "SELECT", 6) != 0) {
        ret_result->affected = strtoll(PQcmdTuples(result), NULL, 10);
    }
}

/* Reads the answer of one message. Hands the result out when it is a good one of a statement. */
static sync_status read_answer(struct sync_db *db, const char *name, int64_t deadline_us,
                               PGresult **ret_result, struct sync_error *err)
{
    const char *why = "";
    PGresult *result = NULL, *separator = NULL;
    if (!next_result(db->conn, deadline_us, &result, &why)) {
        return fail_lost(db, name, why, err);
    }
    ExecStatusType type = PQresultStatus(result);
    if (type == PGRES_COMMAND_OK || type == PGRES_TUPLES_OK) {
        *ret_result = result;
        result = NULL;
    }
    sync_status status = SYNC_OK;
    if (result != NULL) {
        status = fail_result(db, name, result, err);
        PQclear(result);
    }
    if (db->conn != NULL && !next_result(db->conn, deadline_us, &separator, &why)) {
        PQclear(*ret_result);
        *ret_result = NULL;
        return fail_lost(db, name, why, err);
    }
    PQclear(separator);
    return status;
}

/*
 * What follows the answers that were read. Behind an error the server says "skipped" until the end
 * of the pipeline. Behind good answers it may still fail there: a deferred check of a lone
 * statement, a time-out that came when the last statement was through.
 */
static sync_status drain_pipeline(struct sync_db *db, const char *name, int64_t deadline_us,
                                  sync_status status, struct sync_error *err)
{
    const char *why = "the pipeline does not end";
    for (int i = 0; db->conn != NULL && i < 4 * SYNC_WIRE_CALLS_MAX; i++) {
        PGresult *result = NULL;
        if (!next_result(db->conn, deadline_us, &result, &why)) {
            break;
        }
        bool end = PQresultStatus(result) == PGRES_PIPELINE_SYNC;
        bool wrong = result != NULL && PQresultStatus(result) == PGRES_FATAL_ERROR;
        if (wrong && sync_is_ok(status)) {
            status = fail_result(db, name, result, err);
        }
        PQclear(result);
        if (end && PQexitPipelineMode(db->conn) == 1) {
            return status;
        }
    }
    if (sync_is_ok(status)) {
        return fail_lost(db, name, why, err);
    }
    sync_db_disconnect(db);
    return status;
}

/* Statements that were never parsed must be sent again. */
static void forget_from(struct sync_db *db, const struct sync_call *calls, const bool *prepares,
                        size_t from, size_t count)
{
    for (size_t i = from; i < count; i++) {
        if (prepares[i]) {
            forget_prepared(db, calls[i].statement->name);
        }
    }
}

/* Answers of one round trip, up to the first error. */
struct trip {
    const struct sync_call *calls;
    size_t count;
    int64_t deadline_us;
    bool prepares[SYNC_WIRE_CALLS_MAX];
};

static sync_status read_trip(struct sync_db *db, const struct trip *trip,
                             struct sync_result *results, struct sync_error *err)
{
    for (size_t i = 0; i < trip->count; i++) {
        db->failed_call = i; /* unless it is read to its end */
        const char *name = trip->calls[i].statement->name;
        PGresult *result = NULL;
        if (trip->prepares[i]) {
            sync_status status = read_answer(db, name, trip->deadline_us, &result, err);
            PQclear(result);
            result = NULL;
            if (!sync_is_ok(status)) {
                forget_from(db, trip->calls, trip->prepares, i, trip->count);
                return status;
            }
        }
        sync_status status = read_answer(db, name, trip->deadline_us, &result, err);
        if (!sync_is_ok(status)) {
            forget_from(db, trip->calls, trip->prepares, i + 1, trip->count);
            return status;
        }
        if (results != NULL) {
            keep_result(&results[i], result);
            continue;
        }
        PQclear(result);
    }
    return SYNC_OK;
}

static void drop_results(struct sync_result *results, size_t count)
{
    for (size_t i = 0; results != NULL && i < count; i++) {
        sync_result_done(&results[i]);
    }
}

static sync_status send_trip(struct sync_db *db, struct trip *trip, struct sync_error *err)
{
    bool sent = PQenterPipelineMode(db->conn) == 1;
    for (size_t i = 0; sent && i < trip->count; i++) {
        sent = send_call(db, &trip->calls[i], &trip->prepares[i]);
    }
    sent = sent && PQpipelineSync(db->conn) == 1;
    return sent ? SYNC_OK
                : fail_lost(db, trip->calls[0].statement->name, PQerrorMessage(db->conn), err);
}

sync_status sync_wire_calls(struct sync_db *db, const struct sync_call *calls, size_t count,
                            int wait_ms, struct sync_result *ret_results, struct sync_error *err)
{
    SYNC_ASSERT(count > 0 && count <= SYNC_WIRE_CALLS_MAX && db->conn != NULL);
    db->failed_call = 0;
    for (size_t i = 0; i < count; i++) {
        if (calls[i].params != NULL && calls[i].params->full) {
            return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT,
                             "%s: the parameters do not fit into the batch memory",
                             calls[i].statement->name);
        }
    }
    int64_t start_us = sync_clock_monotonic_us();
    struct trip trip = {calls, count, start_us + (int64_t)wait_ms * US_PER_MS, {false}};
    if (ret_results != NULL) {
        memset(ret_results, 0, count * sizeof ret_results[0]);
    }
    sync_status status = send_trip(db, &trip, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    status = read_trip(db, &trip, ret_results, err);
    status = drain_pipeline(db, calls[count - 1].statement->name, trip.deadline_us, status, err);
    sync_wire_measure(calls[0].statement->name, start_us);
    if (!sync_is_ok(status)) {
        drop_results(ret_results, count);
    }
    return status;
}

bool sync_wire_has_tag(const struct sync_result *result, const char *tag)
{
    return result->handle != NULL && strcmp(PQcmdStatus(result->handle), tag) == 0;
}

sync_status sync_wire_script(struct sync_db *db, const char *name, const char *sql, int wait_ms,
                             char ret_tag[static SYNC_WIRE_TAG], struct sync_error *err)
{
    int64_t start_us = sync_clock_monotonic_us();
    int64_t deadline_us = start_us + (int64_t)wait_ms * US_PER_MS;
    if (PQsendQuery(db->conn, sql) == 0) {
        return fail_lost(db, name, PQerrorMessage(db->conn), err);
    }
    sync_status status = SYNC_OK;
    for (;;) {
        const char *why = "";
        PGresult *result = NULL;
        if (!next_result(db->conn, deadline_us, &result, &why)) {
            return sync_is_ok(status) ? fail_lost(db, name, why, err) : status;
        }
        if (result == NULL) {
            sync_wire_measure(name, start_us);
            return status;
        }
        ExecStatusType type = PQresultStatus(result);
        bool good =
            type == PGRES_COMMAND_OK || type == PGRES_TUPLES_OK || type == PGRES_EMPTY_QUERY;
        (void)snprintf(ret_tag, SYNC_WIRE_TAG, "%s", PQcmdStatus(result));
        if (!good) {
            status = fail_result(db, name, result, err);
        }
        PQclear(result);
        if (db->conn == NULL) {
            return status;
        }
    }
}

/* Rows -------------------------------------------------------------------------------------- */

void sync_result_done(struct sync_result *result)
{
    PQclear(result->handle);
    *result = (struct sync_result){NULL, 0, 0};
}

bool sync_result_is_null(const struct sync_result *r, int row, int column)
{
    SYNC_ASSERT(row >= 0 && row < r->rows && column < PQnfields(r->handle));
    return PQgetisnull(r->handle, row, column) == 1;
}

struct sync_bytes sync_result_bytes(const struct sync_result *r, int row, int column)
{
    if (sync_result_is_null(r, row, column)) {
        return (struct sync_bytes){NULL, 0};
    }
    SYNC_ASSERT(PQfformat(r->handle, column) == 1);
    const char *value = PQgetvalue(r->handle, row, column);
    return (struct sync_bytes){(const uint8_t *)value, (size_t)PQgetlength(r->handle, row, column)};
}

/* The width is the column's type: another one means that our own statement is wrong. Null reads as
 * 0. */
static uint64_t read_number(const struct sync_result *r, int row, int column, size_t *ret_size)
{
    struct sync_bytes value = sync_result_bytes(r, row, column);
    uint64_t number = 0;
    SYNC_ASSERT(value.size <= 8);
    for (size_t i = 0; i < value.size; i++) {
        number = number << 8 | value.data[i];
    }
    *ret_size = value.size;
    return number;
}

bool sync_result_bool(const struct sync_result *r, int row, int column)
{
    size_t size;
    uint64_t number = read_number(r, row, column, &size);
    SYNC_ASSERT(size <= 1);
    return number != 0;
}

int32_t sync_result_int4(const struct sync_result *r, int row, int column)
{
    size_t size;
    uint64_t number = read_number(r, row, column, &size);
    SYNC_ASSERT(size == 0 || size == 2 || size == 4);
    return size == 2 ? (int16_t)number : (int32_t)number;
}

int64_t sync_result_int8(const struct sync_result *r, int row, int column)
{
    size_t size;
    uint64_t number = read_number(r, row, column, &size);
    SYNC_ASSERT(size == 0 || size == 2 || size == 4 || size == 8);
    if (size == 8) {
        return (int64_t)number;
    }
    return size == 2 ? (int16_t)number : (int32_t)number;
}

struct sync_uuid sync_result_uuid(const struct sync_result *r, int row, int column)
{
    struct sync_uuid id = {{0}};
    struct sync_bytes value = sync_result_bytes(r, row, column);
    SYNC_ASSERT(value.size == 0 || value.size == sizeof id.bytes);
    if (value.size > 0) {
        memcpy(id.bytes, value.data, value.size);
    }
    return id;
}

int64_t sync_result_time(const struct sync_result *r, int row, int column)
{
    int64_t shifted = sync_result_int8(r, row, column), time_us;
    if (sync_result_is_null(r, row, column) || shifted == INT64_MIN || shifted == INT64_MAX) {
        return shifted;
    }
    if (__builtin_add_overflow(shifted, SYNC_EPOCH_2000_US, &time_us)) {
        return INT64_MAX - 1; /* after the year 294000: far, but not infinity */
    }
    return time_us;
}
