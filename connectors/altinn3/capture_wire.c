/* Replication connection over libpq's copy-both. Every wait has a time-out. */
#include "capture_wire.h"

#include "pgoutput.h"

#include <core/limits.h>
#include <libpq-fe.h>
#include <poll.h>
#include <runtime/clock.h>
#include <runtime/postgres.h>
#include <stdio.h>
#include <stdlib.h>

#define COMMAND_MS 10000 /* an answer to a command of ours, not of the stream */

struct capture_wire {
    PGconn *conn;
    char *chunk; /* of the last read */
};

static void result_clear(PGresult **result)
{
    PQclear(*result);
}
#define RESULT __attribute__((cleanup(result_clear))) PGresult

/* First line of a text of libpq, without its end. */
static void first_line(const char *text, size_t capacity, char *ret_line)
{
    (void)snprintf(ret_line, capacity, "%s", text[0] != '\0' ? text : "no answer in time");
    ret_line[strcspn(ret_line, "\n")] = '\0';
}

/* SQLSTATE of a refused connection: at verbosity "verbose" it stands in the text, nowhere else. */
static void find_sqlstate(const char *message, char ret_sqlstate[static 6])
{
    const char *at = strstr(message, "FATAL:  ");
    ret_sqlstate[0] = '\0';
    if (at && strlen(at) > 13 && at[13] == ':') {
        memcpy(ret_sqlstate, at + 8, 5);
        ret_sqlstate[5] = '\0';
    }
}

static sync_status fail_with(const char *tried, const char *message, const char *sqlstate,
                             struct sync_error *err)
{
    char line[192];
    enum sync_code code = SYNC_CODE_NONE;
    enum sync_class class = sync_db_classify(sqlstate, &code);
    first_line(message, sizeof line, line);
    /* PARK means data; a refused command of ours is not one. */
    return sync_fail(err, class == SYNC_CLASS_PARK ? SYNC_CLASS_FATAL : class, code, "%s: %s",
                     tried, line);
}

static sync_status fail_connection(struct capture_wire *wire, const char *tried,
                                   struct sync_error *err)
{
    return fail_with(tried, PQerrorMessage(wire->conn), "", err);
}

static void ignore_notice(void *context, const PGresult *result)
{
    (void)context;
    (void)result; /* nothing of this connection is for people */
}

/* True when the socket is ready for what is asked before the deadline. */
static bool wait_for_socket(PGconn *conn, short events, int64_t deadline_us)
{
    int64_t left_us = deadline_us - sync_clock_monotonic_us();
    struct pollfd fd = {.fd = PQsocket(conn), .events = events};
    if (fd.fd < 0 || left_us < 0) {
        return false;
    }
    return poll(&fd, 1, (int)(left_us / 1000) + 1) > 0;
}

static PGconn *start_connection(const char *dsn, const char *application)
{
    char user_ms[16];
    (void)snprintf(user_ms, sizeof user_ms, "%d", SYNC_DB_TCP_USER_MS);
    const char *const keywords[] = {"dbname",           "application_name",
                                    "replication",      "gssencmode",
                                    "keepalives",       "keepalives_idle",
                                    "keepalives_count", "keepalives_interval",
                                    "tcp_user_timeout", NULL};
    const char *const values[] = {dsn, application, "database", "disable", "1",
                                  "5", "2",         "3",        user_ms,   NULL};
    return PQconnectStartParams(keywords, values, 1);
}

static sync_status connect_wire(struct capture_wire *wire, struct sync_error *err)
{
    PGconn *conn = wire->conn;
    int64_t deadline_us =
        sync_clock_monotonic_us() + SYNC_DB_HOSTS_MAX * SYNC_DB_CONNECT_S * 1000000LL;
    PostgresPollingStatusType need = PGRES_POLLING_WRITING;
    (void)PQsetErrorVerbosity(conn, PQERRORS_VERBOSE);
    (void)PQsetNoticeReceiver(conn, ignore_notice, NULL);
    while (need != PGRES_POLLING_OK) {
        short events = need == PGRES_POLLING_READING ? POLLIN : POLLOUT;
        if (need == PGRES_POLLING_FAILED || PQstatus(conn) == CONNECTION_BAD ||
            !wait_for_socket(conn, events, deadline_us)) {
            char sqlstate[6];
            find_sqlstate(PQerrorMessage(conn), sqlstate);
            return fail_with("open a replication connection", PQerrorMessage(conn), sqlstate, err);
        }
        need = PQconnectPoll(conn);
    }
    return SYNC_OK;
}

/* Sends one command and gives its first result. Fails: by SQLSTATE; RETRY when no answer comes. */
static sync_status run_command(struct capture_wire *wire, const char *command, const char *tried,
                               PGresult **ret_result, struct sync_error *err)
{
    int64_t deadline_us = sync_clock_monotonic_us() + COMMAND_MS * 1000LL;
    if (PQsendQuery(wire->conn, command) != 1) {
        return fail_connection(wire, tried, err);
    }
    while (PQisBusy(wire->conn)) {
        if (!wait_for_socket(wire->conn, POLLIN, deadline_us) || PQconsumeInput(wire->conn) != 1) {
            return fail_connection(wire, tried, err);
        }
    }
    PGresult *result = PQgetResult(wire->conn);
    ExecStatusType answer = PQresultStatus(result);
    if (answer == PGRES_TUPLES_OK || answer == PGRES_COPY_BOTH) {
        *ret_result = result;
        return SYNC_OK;
    }
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    sync_status status = fail_with(tried, message ? message : PQerrorMessage(wire->conn),
                                   sqlstate ? sqlstate : "", err);
    PQclear(result);
    return status;
}

static sync_status identify(struct capture_wire *wire, struct capture_identity *ret_identity,
                            struct sync_error *err)
{
    RESULT *result = NULL;
    sync_status status =
        run_command(wire, "IDENTIFY_SYSTEM", "ask the server for its identity", &result, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    if (PQntuples(result) != 1 || PQnfields(result) < 2) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_PROTOCOL,
                         "ask the server for its identity: the answer has not one row");
    }
    (void)snprintf(ret_identity->system_id, sizeof ret_identity->system_id, "%s",
                   PQgetvalue(result, 0, 0));
    ret_identity->timeline = (int32_t)strtol(PQgetvalue(result, 0, 1), NULL, 10);
    PGresult *rest = PQgetResult(wire->conn); /* the end of the command: always NULL */
    PQclear(rest);
    return SYNC_OK;
}

sync_status capture_wire_open(const char *dsn, const char *setting, const char *application,
                              struct capture_wire **ret_wire, struct capture_identity *ret_identity,
                              struct sync_error *err)
{
    sync_status status = sync_db_dsn_check(dsn, setting, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    struct capture_wire *wire = calloc(1, sizeof *wire);
    if (wire) {
        wire->conn = start_connection(dsn, application);
    }
    if (!wire || !wire->conn) {
        free(wire);
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT,
                         "open a replication connection: no memory");
    }
    status = connect_wire(wire, err);
    if (sync_is_ok(status)) {
        status = identify(wire, ret_identity, err);
    }
    if (!sync_is_ok(status)) {
        capture_wire_close(&wire);
        return status;
    }
    *ret_wire = wire;
    return SYNC_OK;
}

void capture_wire_close(struct capture_wire **wire)
{
    if (*wire) {
        PQfreemem((*wire)->chunk);
        PQfinish((*wire)->conn);
        free(*wire);
        *wire = NULL;
    }
}

static bool is_plain_name(const char *name)
{
    return name[0] != '\0' && name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0';
}

sync_status capture_wire_start(struct capture_wire *wire, const char *slot, const char *publication,
                               uint64_t lsn, struct sync_error *err)
{
    if (!is_plain_name(slot) || !is_plain_name(publication)) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_CONFIG,
                         "stream from slot %s: capture.slot and capture.publication may consist "
                         "of a-z, 0-9 and _ only",
                         slot);
    }
    char position[PGOUTPUT_LSN_BUFFER], command[512], tried[128];
    pgoutput_lsn_format(lsn, position);
    /* Binary values: no date style, time zone or float setting of the session can change them. */
    (void)snprintf(command, sizeof command,
                   "START_REPLICATION SLOT %s LOGICAL %s (proto_version '1', "
                   "publication_names '%s', binary 'true')",
                   slot, position, publication);
    (void)snprintf(tried, sizeof tried, "stream from slot %s", slot);
    RESULT *result = NULL;
    return run_command(wire, command, tried, &result, err);
}

/* The stream is over: a result says why, or the connection is gone. */
static sync_status fail_end(struct capture_wire *wire, struct sync_error *err)
{
    RESULT *result = PQgetResult(wire->conn);
    const char *sqlstate = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    const char *message = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    if (!message) {
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_DB_UNREACHABLE,
                         "read the stream: the server ended it");
    }
    return fail_with("read the stream", message, sqlstate ? sqlstate : "", err);
}

/* What libpq holds already: 1 a chunk, 0 none, below 0 the end. */
static int take_chunk(struct capture_wire *wire, struct sync_bytes *ret_chunk)
{
    PQfreemem(wire->chunk);
    wire->chunk = NULL;
    int size = PQgetCopyData(wire->conn, &wire->chunk, 1);
    *ret_chunk = (struct sync_bytes){(const uint8_t *)wire->chunk, size > 0 ? (size_t)size : 0};
    return size > 0 ? 1 : size;
}

sync_status capture_wire_read(struct capture_wire *wire, int timeout_ms,
                              struct sync_bytes *ret_chunk, struct sync_error *err)
{
    int answer = take_chunk(wire, ret_chunk);
    if (answer == 0 &&
        wait_for_socket(wire->conn, POLLIN, sync_clock_monotonic_us() + timeout_ms * 1000LL)) {
        if (PQconsumeInput(wire->conn) != 1) {
            return fail_connection(wire, "read the stream", err);
        }
        answer = take_chunk(wire, ret_chunk);
    }
    return answer < 0 ? fail_end(wire, err) : SYNC_OK;
}

sync_status capture_wire_confirm(struct capture_wire *wire, uint64_t received_lsn,
                                 uint64_t confirmed_lsn, struct sync_error *err)
{
    uint8_t bytes[PGOUTPUT_FEEDBACK_BYTES];
    pgoutput_feedback_write(received_lsn, confirmed_lsn, sync_clock_wall_us(), bytes);
    if (PQputCopyData(wire->conn, (const char *)bytes, sizeof bytes) != 1 ||
        PQflush(wire->conn) != 0) {
        return fail_connection(wire, "confirm a position", err);
    }
    return SYNC_OK;
}
