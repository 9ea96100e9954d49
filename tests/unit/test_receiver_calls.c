/*
 * Shows what the receiver answers before anything is looked up or produced: path, method, token,
 * type, body, room; and that it says 503, never 404 and never 200, while database and broker are
 * away. The receiver is a process of its own here; its database and broker refuse every connection.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../connectors/altinn2/receiver.h"
#include "core/limits.h"
#include "runtime/clock.h"
#include "runtime/log.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATH        "/correspondence/api/v1/migration/correspondence/"
#define STATUS      PATH "syncStatusEvent"
#define JSON        "Content-Type: application/json\r\n"
#define PATIENCE_MS 30000
#define GOOD                                                                                       \
    "{\"correspondenceId\":\"7c9e6679-7425-40de-944b-e07fc1f90ae7\",\"syncedStatusEvents\":[{"     \
    "\"status\":4,"                                                                                \
    "\"statusChanged\":\"2025-03-04T09:00:00Z\",\"eventUserPartyUuid\":\"00000000-0000-0000-0000-" \
    "0000000000aa\"}]}"

static struct sync_config config;
static char token_file[64];

struct child {
    pid_t pid;
    int port;
};

static void base_config(void)
{
    memset(&config, 0, sizeof config);
    snprintf(config.kafka_bootstrap, sizeof config.kafka_bootstrap, "127.0.0.1:1");
    snprintf(config.database_dsn, sizeof config.database_dsn,
             "host=127.0.0.1 port=1 dbname=none user=none");
    snprintf(config.schemas_dir, sizeof config.schemas_dir, "%s/schemas", SYNC_SOURCE_DIR);
    snprintf(config.http_listen, sizeof config.http_listen, "127.0.0.1:0");
    snprintf(config.capture_listen, sizeof config.capture_listen, "127.0.0.1:0");
}

/* Reads log lines until "ready" tells the port; 0 when the child ended before. */
static int read_port(int pipe_end)
{
    FILE *file = fdopen(pipe_end, "r");
    char line[4096];
    int port = 0;
    while (port == 0 && file && fgets(line, sizeof line, file)) {
        const char *listen = strstr(line, "\"listen\":\"127.0.0.1:");
        port = strstr(line, "\"ready\"") && listen
                   ? atoi(listen + strlen("\"listen\":\"127.0.0.1:"))
                   : 0;
    }
    return port; /* the stream stays open, else the child's next log line would kill it */
}

static struct child start_child(void)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    fflush(stdout);
    struct child child = {.pid = fork()};
    if (child.pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(ends[1], STDOUT_FILENO);
        sync_log_init("altinn2-status", SYNC_ERROR);
        sync_log_set_level(SYNC_INFO);
        struct sync_error err = {0};
        _exit(sync_is_ok(sync_receiver_run(&config, &err)) ? 0 : 1);
    }
    close(ends[1]);
    child.port = read_port(ends[0]);
    assert_true(child.port > 0);
    return child;
}

static int end_child(const struct child *child)
{
    int state = 0;
    kill(child->pid, SIGTERM);
    assert_int_equal(waitpid(child->pid, &state, 0), child->pid);
    return WIFEXITED(state) ? WEXITSTATUS(state) : -1;
}

static int connect_to(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
    assert_true(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    return fd;
}

/* The code of the answer on a connection; the text is kept for a look at it. */
static char answer[8192];
static int read_code(int fd)
{
    size_t size = 0;
    ssize_t got;
    while (size + 1 < sizeof answer &&
           (got = recv(fd, answer + size, sizeof answer - 1 - size, 0)) > 0) {
        size += (size_t)got;
        answer[size] = '\0';
        const char *end = strstr(answer, "\r\n\r\n");
        const char *length = strstr(answer, "Content-Length: ");
        if (end && length && size >= (size_t)(end + 4 - answer) + strtoul(length + 16, NULL, 10)) {
            break;
        }
    }
    answer[size] = '\0';
    return size > 12 ? atoi(answer + 9) : 0;
}

static int call(const struct child *child, const char *method, const char *path,
                const char *headers, const char *body)
{
    char text[4096];
    int fd = connect_to(child->port);
    int size =
        snprintf(text, sizeof text, "%s %s HTTP/1.1\r\nHost: x\r\n%sContent-Length: %zu\r\n\r\n%s",
                 method, path, headers, strlen(body), body);
    assert_int_equal(send(fd, text, (size_t)size, MSG_NOSIGNAL), size);
    int code = read_code(fd);
    close(fd);
    return code;
}

static void each_wrong_call_gets_its_code(void **state)
{
    (void)state;
    base_config();
    struct child child = start_child();
    assert_int_equal(call(&child, "POST", "/", JSON, GOOD), 404);
    assert_int_equal(call(&child, "POST", PATH, JSON, GOOD), 404);
    assert_int_equal(call(&child, "POST", STATUS "/", JSON, GOOD), 404);
    assert_int_equal(call(&child, "POST",
                          "/correspondence/api/v1/migration/correspondence%2fsyncStatusEvent", JSON,
                          GOOD),
                     404);
    assert_int_equal(call(&child, "GET", STATUS, "", ""), 405);
    assert_int_equal(call(&child, "PUT", STATUS, JSON, GOOD), 405);
    assert_int_equal(call(&child, "DELETE", PATH "syncForwardingEvent", "", ""), 405);
    assert_int_equal(call(&child, "POST", PATH "syncForwardingEvent", JSON, GOOD), 501);
    assert_int_equal(call(&child, "POST", PATH "syncNotificationEvent", JSON, GOOD), 501);
    assert_int_equal(call(&child, "POST", STATUS, "", GOOD), 415);
    assert_int_equal(call(&child, "POST", STATUS, "Content-Type: text/plain\r\n", GOOD), 415);
    assert_int_equal(call(&child, "POST", STATUS, "Content-Type: application/jsonp\r\n", GOOD),
                     415);
    assert_int_equal(call(&child, "POST", STATUS, JSON, ""), 400);
    assert_int_equal(call(&child, "POST", STATUS, JSON, "{\"syncedStatusEvents\":[]}"), 400);
    assert_non_null(strstr(answer, "Content-Type: application/problem+json"));
    assert_non_null(strstr(answer, "\"pointer\":\"/syncedStatusEvents\""));
    assert_int_equal(end_child(&child), 0);
}

static void without_database_or_broker_it_is_503_with_a_wait(void **state)
{
    (void)state;
    base_config();
    struct child child = start_child();
    assert_int_equal(call(&child, "POST", STATUS, JSON, GOOD), 503);
    assert_non_null(strstr(answer, "Retry-After: "));
    assert_int_equal(
        call(&child, "POST", STATUS, "Content-Type: application/json; charset=utf-8\r\n", GOOD),
        503);
    assert_int_equal(end_child(&child), 0);
}

static void write_token(const char *text, mode_t mode)
{
    unlink(token_file);
    FILE *file = fopen(token_file, "we");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(chmod(token_file, mode), 0);
}

static void only_the_right_token_passes(void **state)
{
    (void)state;
    base_config();
    write_token("open sesame\n", 0400);
    snprintf(config.capture_token_file, sizeof config.capture_token_file, "%s", token_file);
    struct child child = start_child();
    static const char *const wrong[] = {"",
                                        "Authorization: Bearer\r\n",
                                        "Authorization: Bearer \r\n",
                                        "Authorization: Bearer open sesam\r\n",
                                        "Authorization: Bearer open sesamf\r\n",
                                        "Authorization: Bearer open sesame!\r\n",
                                        "Authorization: Basic open sesame\r\n",
                                        "Authorization: open sesame\r\n"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char headers[256];
        snprintf(headers, sizeof headers, "%s%s", JSON, wrong[i]);
        assert_int_equal(call(&child, "POST", STATUS, headers, GOOD), 401);
        assert_int_equal(call(&child, "POST", "/unknown", headers, GOOD),
                         401); /* paths are no secret that leaks */
        assert_null(strstr(answer, "sesame"));
    }
    assert_int_equal(
        call(&child, "POST", STATUS, JSON "Authorization: Bearer open sesame\r\n", "{}"), 400);
    assert_int_equal(
        call(&child, "POST", STATUS, JSON "Authorization: bearer open sesame\r\n", "{}"), 400);
    assert_int_equal(end_child(&child), 0);
}

static void the_sixty_fifth_slow_body_is_told_to_wait(void **state)
{
    (void)state;
    base_config();
    struct child child = start_child();
    int slow[SYNC_HTTP_REQUESTS_MAX];
    static const char head[] =
        "POST " STATUS " HTTP/1.1\r\nHost: x\r\n" JSON "Content-Length: 1000\r\n\r\n{";
    for (size_t i = 0; i < SYNC_HTTP_REQUESTS_MAX; i++) {
        slow[i] = connect_to(child.port);
        assert_int_equal(send(slow[i], head, sizeof head - 1, MSG_NOSIGNAL), sizeof head - 1);
    }
    int code = 0;
    int64_t until_us = sync_clock_monotonic_us() + PATIENCE_MS * 1000LL;
    while (code != 503 &&
           sync_clock_monotonic_us() < until_us) { /* until the server has read all the heads */
        code = call(&child, "POST", STATUS, JSON, "{}");
    }
    assert_int_equal(code, 503);
    for (size_t i = 0; i < SYNC_HTTP_REQUESTS_MAX; i++) {
        close(slow[i]);
    }
    code = 0;
    while (code != 400 && sync_clock_monotonic_us() < until_us) {
        code = call(&child, "POST", STATUS, JSON, "{}");
    }
    assert_int_equal(code, 400);
    assert_int_equal(end_child(&child), 0);
}

static void a_body_that_is_too_large_is_413(void **state)
{
    (void)state;
    base_config();
    struct child child = start_child();
    char head[256];
    int fd = connect_to(child.port);
    int size = snprintf(head, sizeof head,
                        "POST %s HTTP/1.1\r\nHost: x\r\n%sContent-Length: 999999999\r\n\r\n",
                        STATUS, JSON);
    assert_int_equal(send(fd, head, (size_t)size, MSG_NOSIGNAL), size);
    assert_int_equal(read_code(fd), 413);
    close(fd);
    assert_int_equal(end_child(&child), 0);
}

/* A start that is refused, in this process: it ends before anything runs. */
static void refuses_to_start(enum sync_code code, const char *word)
{
    struct sync_error err = {0};
    assert_int_equal(sync_receiver_run(&config, &err).class, SYNC_CLASS_FATAL);
    assert_int_equal(err.code, code);
    if (!strstr(err.text, word)) {
        fail_msg("\"%s\" does not name %s", err.text, word);
    }
}

static void a_start_that_is_not_safe_is_refused_with_the_setting(void **state)
{
    (void)state;
    base_config();
    snprintf(config.capture_listen, sizeof config.capture_listen, "0.0.0.0:0");
    refuses_to_start(SYNC_CODE_INSECURE, "capture.token_file");
    snprintf(config.capture_listen, sizeof config.capture_listen, "[::]:0");
    refuses_to_start(SYNC_CODE_INSECURE, "capture.token_file");
    base_config();
    write_token("secret\n", 0644);
    snprintf(config.capture_token_file, sizeof config.capture_token_file, "%s", token_file);
    refuses_to_start(SYNC_CODE_INSECURE, "capture.token_file");
    write_token("", 0400);
    refuses_to_start(SYNC_CODE_FILE, "capture.token_file");
    unlink(token_file);
    refuses_to_start(SYNC_CODE_FILE, "capture.token_file");
    base_config();
    snprintf(config.database_dsn, sizeof config.database_dsn, "host=192.0.2.1 dbname=x");
    refuses_to_start(SYNC_CODE_INSECURE, "database.dsn");
    base_config();
    snprintf(config.schemas_dir, sizeof config.schemas_dir, "/nonexistent");
    refuses_to_start(SYNC_CODE_FILE, "/nonexistent");
    base_config();
    snprintf(config.capture_listen, sizeof config.capture_listen, "127.0.0.1");
    struct sync_error err = {0};
    assert_int_equal(sync_receiver_run(&config, &err).class, SYNC_CLASS_FATAL);
}

static int begin(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    snprintf(token_file, sizeof token_file, "/tmp/receiver_%d.token", (int)getpid());
    return 0;
}

static int end(void **state)
{
    (void)state;
    unlink(token_file);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_wrong_call_gets_its_code),
        cmocka_unit_test(without_database_or_broker_it_is_503_with_a_wait),
        cmocka_unit_test(only_the_right_token_passes),
        cmocka_unit_test(the_sixty_fifth_slow_body_is_told_to_wait),
        cmocka_unit_test(a_body_that_is_too_large_is_413),
        cmocka_unit_test(a_start_that_is_not_safe_is_refused_with_the_setting),
    };
    return cmocka_run_group_tests_name("receiver_calls", tests, begin, end);
}
