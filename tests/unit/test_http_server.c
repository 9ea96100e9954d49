/* Shows over real sockets how requests are answered: at once, later from another thread, refused by
 * size and number, cut when the client is slow; and what the probes say. Waits end by what the
 * socket gives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/clock.h"
#include "runtime/health.h"
#include "runtime/http_server.h"
#include "runtime/metrics.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define BODY_MAX    65536
#define PATIENCE_MS 20000
#define ANSWER_MAX  (256 * 1024)

/* The handler: /now answers, /echo answers with the body, /later keeps the request for another
 * thread. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t arrived = PTHREAD_COND_INITIALIZER;
static struct sync_http_request *kept[64];
static int kept_count;

static void handle(struct sync_http_request *request, void *context)
{
    (void)context;
    if (strcmp(request->path, "/later") == 0) {
        pthread_mutex_lock(&lock);
        kept[kept_count++] = request;
        pthread_cond_broadcast(&arrived);
        pthread_mutex_unlock(&lock);
        return;
    }
    if (strcmp(request->path, "/echo") == 0) {
        sync_http_answer(request, 200, request->content_type, request->body, 0);
        return;
    }
    if (strcmp(request->path, "/query") == 0) {
        const char *value = sync_http_request_query(request, "after");
        sync_http_answer(request, 200, "text/plain", sync_bytes_text(value == NULL ? "-" : value),
                         0);
        return;
    }
    char text[256];
    (void)snprintf(text, sizeof text, "%s %s %s %d", request->method, request->path,
                   request->authorization == NULL ? "-" : request->authorization,
                   sync_http_request_has(request, "verbose"));
    sync_http_answer(request, 200, "text/plain", sync_bytes_text(text), 0);
}

static struct sync_http_request *wait_kept(int count)
{
    pthread_mutex_lock(&lock);
    while (kept_count < count) {
        pthread_cond_wait(&arrived, &lock);
    }
    struct sync_http_request *request = kept[count - 1];
    pthread_mutex_unlock(&lock);
    return request;
}

static struct sync_http_server *start(int connections_max, int request_ms_max)
{
    struct sync_http_server_options options = {.listen = "127.0.0.1:0",
                                               .body_bytes_max = BODY_MAX,
                                               .connections_max = connections_max,
                                               .request_ms_max = request_ms_max,
                                               .handler = handle};
    struct sync_http_server *server = NULL;
    struct sync_error err = {0};
    kept_count = 0;
    if (!sync_is_ok(sync_http_server_new(&options, &server, &err))) {
        fail_msg("%s", err.text);
    }
    return server;
}

static int dial(const struct sync_http_server *server)
{
    const char *address = sync_http_server_address(server);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    to.sin_port = htons((uint16_t)strtoul(strrchr(address, ':') + 1, NULL, 10));
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static void say(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);
        if (sent <= 0) {
            return; /* the server has closed: what it said can still be read */
        }
        bytes += sent;
        size -= (size_t)sent;
    }
}

/* Everything until the server closes, as text. */
static char *hear(int fd)
{
    static char answer[ANSWER_MAX];
    size_t size = 0;
    int64_t end_us = sync_clock_monotonic_us() + PATIENCE_MS * 1000LL;
    for (;;) {
        struct pollfd wait = {fd, POLLIN, 0};
        if (sync_clock_monotonic_us() > end_us || poll(&wait, 1, PATIENCE_MS) <= 0) {
            fail_msg("no end after %zu bytes", size);
        }
        ssize_t got = recv(fd, answer + size, sizeof answer - 1 - size, 0);
        if (got <= 0) {
            break;
        }
        size += (size_t)got;
    }
    answer[size] = '\0';
    (void)close(fd);
    return answer;
}

static char *ask(const struct sync_http_server *server, const char *request)
{
    int fd = dial(server);
    say(fd, request, strlen(request));
    return hear(fd);
}

static int code_of(const char *answer)
{
    return strncmp(answer, "HTTP/1.1 ", 9) == 0 ? (int)strtol(answer + 9, NULL, 10) : 0;
}

#define HEAD " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"

static void a_request_is_answered_with_its_parts(void **state)
{
    (void)state;
    struct sync_http_server *server = start(4, 0);
    const char *answer = ask(server, "GET /now?verbose" HEAD "Authorization: Bearer t\r\n\r\n");
    assert_int_equal(code_of(answer), 200);
    assert_non_null(strstr(answer, "\r\n\r\nGET /now Bearer t 1"));
    assert_non_null(strstr(answer, "Content-Type: text/plain\r\n"));
    sync_http_server_free(&server);
    assert_null(server);
}

static void a_parameter_of_the_query_is_read_as_it_came(void **state)
{
    (void)state;
    struct sync_http_server *server = start(4, 0);
    assert_non_null(strstr(ask(server, "GET /query?a=1&after=7%2f8" HEAD "\r\n"), "\r\n\r\n7%2f8"));
    assert_non_null(strstr(ask(server, "GET /query?a=1&after" HEAD "\r\n"), "\r\n\r\n-"));
    assert_non_null(strstr(ask(server, "GET /query?a=1" HEAD "\r\n"), "\r\n\r\n-"));
    sync_http_server_free(&server);
}

static void an_escaped_path_stays_escaped(void **state)
{
    (void)state;
    struct sync_http_server *server = start(4, 0);
    assert_non_null(strstr(ask(server, "GET /a%2fb%00?x=%2e" HEAD "\r\n"), "GET /a%2fb%00 - 0"));
    sync_http_server_free(&server);
}

static void a_body_comes_whole_to_the_handler(void **state)
{
    (void)state;
    struct sync_http_server *server = start(4, 0);
    static char body[BODY_MAX + 1], head[256];
    memset(body, 'b', BODY_MAX);
    int fd = dial(server);
    (void)snprintf(head, sizeof head, "POST /echo" HEAD "Content-Length: %d\r\n\r\n", BODY_MAX);
    say(fd, head, strlen(head));
    say(fd, body, BODY_MAX);
    const char *answer = hear(fd);
    assert_int_equal(code_of(answer), 200);
    assert_string_equal(strstr(answer, "\r\n\r\n") + 4, body);
    sync_http_server_free(&server);
}

static void one_byte_too_many_is_413(void **state)
{
    (void)state;
    struct sync_http_server *server = start(4, 0);
    static char body[BODY_MAX + 2], head[256];
    memset(body, 'b', BODY_MAX + 1);
    int fd = dial(server);
    (void)snprintf(head, sizeof head, "POST /echo" HEAD "Content-Length: %d\r\n\r\n", BODY_MAX + 1);
    say(fd, head, strlen(head));
    say(fd, body, BODY_MAX + 1);
    assert_int_equal(code_of(hear(fd)), 413);
    sync_http_server_free(&server);
}

static void a_body_without_declared_size_is_bounded_too(void **state)
{
    (void)state;
    struct sync_http_server *server = start(4, 0);
    static char chunk[4200];
    memset(chunk, 'c', sizeof chunk);
    memcpy(chunk, "1000\r\n", 6);
    memcpy(chunk + 6 + 4096, "\r\n", 2);
    int fd = dial(server);
    const char *head = "POST /echo" HEAD "Transfer-Encoding: chunked\r\n\r\n";
    say(fd, head, strlen(head));
    for (int i = 0; i < 20; i++) {
        say(fd, chunk, 6 + 4096 + 2);
    }
    say(fd, "0\r\n\r\n", 5);
    assert_int_equal(code_of(hear(fd)), 413);
    sync_http_server_free(&server);
}

static void a_monstrous_declared_size_is_refused_without_reading(void **state)
{
    (void)state;
    struct sync_http_server *server = start(4, 0);
    assert_int_equal(code_of(ask(server, "POST /echo" HEAD "Content-Length: 99999999999\r\n\r\n")),
                     413);
    sync_http_server_free(&server);
}

static void headers_beyond_their_bound_are_431(void **state)
{
    (void)state;
    struct sync_http_server *server = start(4, 0);
    static char request[40000];
    int used = snprintf(request, sizeof request, "GET /now" HEAD "X-Long: ");
    memset(request + used, 'x', 30000);
    strcpy(request + used + 30000, "\r\n\r\n");
    int code = code_of(ask(server, request));
    assert_true(code == 431 || code == 0); /* or closed at once while we still send */
    sync_http_server_free(&server);
}

static void what_is_not_http_is_refused(void **state)
{
    (void)state;
    struct sync_http_server *server = start(4, 0);
    static const char *const rows[] = {
        "\x16\x03\x01\x02\x01\x01\r\n\r\n", "GET\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1x\r\n\r\n",
        "GET /now HTTP/1.1\r\n\r\n"};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int code = code_of(ask(server, rows[i]));
        assert_true(code == 0 || (code >= 400 && code < 600));
    }
    sync_http_server_free(&server);
}

static void *answer_kept(void *context)
{
    struct sync_http_request *request = context;
    sync_http_answer(request, 202, NULL, sync_bytes_text("done"), 0);
    return NULL;
}

static void a_kept_request_is_answered_from_another_thread(void **state)
{
    (void)state;
    struct sync_http_server *server = start(4, 0);
    int fd = dial(server);
    const char *request = "POST /later" HEAD "Content-Length: 2\r\n\r\nhi";
    say(fd, request, strlen(request));
    struct sync_http_request *later = wait_kept(1);
    assert_int_equal(later->body.size, 2);
    assert_memory_equal(later->body.data, "hi", 2);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, answer_kept, later), 0);
    const char *answer = hear(fd);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(code_of(answer), 202);
    assert_string_equal(strstr(answer, "\r\n\r\n") + 4, "done");
    sync_http_server_free(&server);
}

static void others_are_served_while_one_is_kept(void **state)
{
    (void)state;
    struct sync_http_server *server = start(4, 0);
    int fd = dial(server);
    const char *request = "POST /later" HEAD "Content-Length: 0\r\n\r\n";
    say(fd, request, strlen(request));
    struct sync_http_request *later = wait_kept(1);
    assert_int_equal(code_of(ask(server, "GET /now" HEAD "\r\n")), 200);
    answer_kept(later);
    assert_int_equal(code_of(hear(fd)), 202);
    sync_http_server_free(&server);
}

static void one_request_above_the_limit_is_503_with_a_time_to_come_back(void **state)
{
    (void)state;
    struct sync_http_server *server = start(2, 0);
    const char *request = "POST /later" HEAD "Content-Length: 0\r\n\r\n";
    int fds[2];
    for (int i = 0; i < 2; i++) {
        fds[i] = dial(server);
        say(fds[i], request, strlen(request));
        wait_kept(i + 1);
    }
    const char *answer = ask(server, "GET /now" HEAD "\r\n");
    assert_int_equal(code_of(answer), 503);
    assert_non_null(strstr(answer, "Retry-After: 1\r\n"));
    for (int i = 0; i < 2; i++) {
        answer_kept(kept[i]);
        assert_int_equal(code_of(hear(fds[i])), 202);
    }
    assert_int_equal(code_of(ask(server, "GET /now" HEAD "\r\n")), 200);
    sync_http_server_free(&server);
}

static void slow_bodies_count_as_open_requests(void **state)
{
    (void)state;
    struct sync_http_server *server = start(8, 0);
    int fds[8];
    const char *part = "POST /echo" HEAD "Content-Length: 10\r\n\r\nhalf";
    for (int i = 0; i < 8; i++) {
        fds[i] = dial(server);
        say(fds[i], part, strlen(part));
    }
    int code = 0;
    for (int i = 0; i < 100 && code != 503; i++) { /* until the server has read all eight heads */
        code = code_of(ask(server, "GET /now" HEAD "\r\n"));
    }
    assert_int_equal(code, 503);
    for (int i = 0; i < 8; i++) {
        say(fds[i], "wholly", 6);
        assert_int_equal(code_of(hear(fds[i])), 200);
    }
    sync_http_server_free(&server);
}

/* A byte now and then: the connection is never silent, and is closed all the same. */
static void drip(struct sync_http_server *server, const char *text)
{
    int fd = dial(server);
    int64_t start_us = sync_clock_monotonic_us();
    for (size_t i = 0; sync_clock_monotonic_us() - start_us < PATIENCE_MS * 1000LL; i++) {
        say(fd, text[i] == '\0' ? "x" : &text[i], 1);
        i -= text[i] == '\0';
        struct pollfd wait = {fd, POLLIN, 0};
        char byte;
        if (poll(&wait, 1, 20) > 0 && recv(fd, &byte, 1, 0) <= 0) {
            (void)close(fd);
            return;
        }
    }
    fail_msg("a slow client kept its connection");
}

static void a_client_that_drips_its_headers_is_cut(void **state)
{
    (void)state;
    struct sync_http_server *server = start(4, 300);
    drip(server, "GET /now HTTP/1.1\r\nX-Drip: ");
    sync_http_server_free(&server);
}

static void a_client_that_drips_its_body_is_cut(void **state)
{
    (void)state;
    struct sync_http_server *server = start(4, 300);
    drip(server, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n");
    sync_http_server_free(&server);
}

static void a_kept_request_is_not_cut_for_its_age(void **state)
{
    (void)state;
    struct sync_http_server *server = start(4, 100);
    int fd = dial(server);
    const char *request = "POST /later" HEAD "Content-Length: 0\r\n\r\n";
    say(fd, request, strlen(request));
    struct sync_http_request *later = wait_kept(1);
    drip(server, "GET /now HTTP/1.1\r\nX-Drip: "); /* several of the server's turns pass */
    answer_kept(later);
    assert_int_equal(code_of(hear(fd)), 202);
    sync_http_server_free(&server);
}

static void a_client_that_left_does_no_harm_to_its_kept_request(void **state)
{
    (void)state;
    struct sync_http_server *server = start(4, 0);
    int fd = dial(server);
    const char *request = "POST /later" HEAD "Content-Length: 2\r\n\r\nhi";
    say(fd, request, strlen(request));
    struct sync_http_request *later = wait_kept(1);
    struct linger hard = {1, 0};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    (void)close(fd);
    assert_memory_equal(later->body.data, "hi", 2);
    answer_kept(later);
    assert_int_equal(code_of(ask(server, "GET /now" HEAD "\r\n")), 200);
    sync_http_server_free(&server);
}

static void two_requests_follow_each_other_on_one_connection(void **state)
{
    (void)state;
    struct sync_http_server *server = start(1, 0);
    const char *answer = ask(server, "GET /one HTTP/1.1\r\nHost: x\r\n\r\nGET /two" HEAD "\r\n");
    assert_non_null(strstr(answer, "GET /one - 0"));
    assert_non_null(strstr(answer, "GET /two - 0"));
    sync_http_server_free(&server);
}

static void an_address_that_cannot_be_listened_on_is_fatal(void **state)
{
    (void)state;
    struct sync_http_server *server = start(1, 0), *second = NULL;
    const char *const rows[] = {"",
                                "127.0.0.1",
                                "localhost:1",
                                "127.0.0.1:",
                                "127.0.0.1:x",
                                ":8080",
                                "127.0.0.1:99999",
                                "192.0.2.1:0",
                                "127.0.0.1:-1",
                                "1.2.3.4.5:1",
                                "[::1:8080",
                                sync_http_server_address(server)};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sync_http_server_options options = {
            .listen = rows[i], .connections_max = 1, .handler = handle};
        struct sync_error err = {0};
        sync_status status = sync_http_server_new(&options, &second, &err);
        if (status.class != SYNC_CLASS_FATAL) {
            fail_msg("listened on \"%s\"", rows[i]);
        }
        bool bound = strncmp(rows[i], "192", 3) == 0 || i + 1 == sizeof rows / sizeof rows[0];
        assert_int_equal(err.code, bound ? SYNC_CODE_REFUSED : SYNC_CODE_CONFIG);
        assert_null(second);
    }
    sync_http_server_free(&server);
}

/* Probes ------------------------------------------------------------------------------------ */

static struct sync_http_server *start_probes(void)
{
    struct sync_http_server *server = NULL;
    struct sync_error err = {0};
    sync_health_init();
    if (!sync_is_ok(sync_http_probes_new("127.0.0.1:0", &server, &err))) {
        fail_msg("%s", err.text);
    }
    return server;
}

static void probes_follow_the_health_of_the_process(void **state)
{
    (void)state;
    struct sync_http_server *server = start_probes();
    sync_health_need(SYNC_DEP_DATABASE);
    assert_int_equal(code_of(ask(server, "GET /livez" HEAD "\r\n")), 200);
    assert_int_equal(code_of(ask(server, "GET /startupz" HEAD "\r\n")), 503);
    sync_health_started();
    assert_int_equal(code_of(ask(server, "GET /startupz" HEAD "\r\n")), 200);
    const char *answer = ask(server, "GET /readyz" HEAD "\r\n");
    assert_int_equal(code_of(answer), 503);
    assert_non_null(strstr(answer, "[-] database not reachable"));
    sync_health_set(SYNC_DEP_DATABASE, true);
    answer = ask(server, "GET /readyz?verbose" HEAD "\r\n");
    assert_int_equal(code_of(answer), 200);
    assert_non_null(strstr(answer, "[+] database reachable"));
    assert_int_equal(code_of(ask(server, "HEAD /healthz" HEAD "\r\n")), 200);
    sync_http_server_free(&server);
}

static void metrics_are_one_page(void **state)
{
    (void)state;
    struct sync_http_server *server = start_probes();
    sync_metric_add(sync_metric_new(SYNC_COUNTER, "probe_test_total", "Test.", ""), 3, NULL);
    const char *answer = ask(server, "GET /metrics" HEAD "\r\n");
    assert_int_equal(code_of(answer), 200);
    assert_non_null(strstr(answer, "Content-Type: text/plain; version=0.0.4"));
    assert_non_null(strstr(answer, "\naltinn_sync_probe_test_total 3\n"));
    assert_non_null(strstr(answer, "altinn_sync_build_info{version=\""));
    sync_http_server_free(&server);
}

static void probes_refuse_other_paths_methods_and_bodies(void **state)
{
    (void)state;
    struct sync_http_server *server = start_probes();
    assert_int_equal(code_of(ask(server, "GET /" HEAD "\r\n")), 404);
    assert_int_equal(code_of(ask(server, "GET /metrics/" HEAD "\r\n")), 404);
    assert_int_equal(code_of(ask(server, "POST /metrics" HEAD "Content-Length: 0\r\n\r\n")), 405);
    assert_int_equal(code_of(ask(server, "POST /metrics" HEAD "Content-Length: 1\r\n\r\nx")), 413);
    sync_http_server_free(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_answered_with_its_parts),
        cmocka_unit_test(a_parameter_of_the_query_is_read_as_it_came),
        cmocka_unit_test(an_escaped_path_stays_escaped),
        cmocka_unit_test(a_body_comes_whole_to_the_handler),
        cmocka_unit_test(one_byte_too_many_is_413),
        cmocka_unit_test(a_body_without_declared_size_is_bounded_too),
        cmocka_unit_test(a_monstrous_declared_size_is_refused_without_reading),
        cmocka_unit_test(headers_beyond_their_bound_are_431),
        cmocka_unit_test(what_is_not_http_is_refused),
        cmocka_unit_test(a_kept_request_is_answered_from_another_thread),
        cmocka_unit_test(others_are_served_while_one_is_kept),
        cmocka_unit_test(one_request_above_the_limit_is_503_with_a_time_to_come_back),
        cmocka_unit_test(slow_bodies_count_as_open_requests),
        cmocka_unit_test(a_client_that_drips_its_headers_is_cut),
        cmocka_unit_test(a_client_that_drips_its_body_is_cut),
        cmocka_unit_test(a_kept_request_is_not_cut_for_its_age),
        cmocka_unit_test(a_client_that_left_does_no_harm_to_its_kept_request),
        cmocka_unit_test(two_requests_follow_each_other_on_one_connection),
        cmocka_unit_test(an_address_that_cannot_be_listened_on_is_fatal),
        cmocka_unit_test(probes_follow_the_health_of_the_process),
        cmocka_unit_test(metrics_are_one_page),
        cmocka_unit_test(probes_refuse_other_paths_methods_and_bodies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
