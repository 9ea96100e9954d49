/* Shows what the HTTP client makes of answers, of none, and of hostile ones, and that nothing of
 * the environment changes a call. Against libmicrohttpd where an ordinary server does, and against
 * a raw socket that answers by script where a server would be too polite. Waits end by what comes
 * back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/limits.h"
#include "runtime/clock.h"
#include "runtime/http_client.h"
#include "runtime/http_server.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_MS  20000
#define REQUEST_MAX  8192
#define BLOCK_BYTES  4096
#define CLIENT_CALLS 16

/* The scripted server: one request per connection, the path says what happens. */
static struct {
    int listener;
    int port;
    pthread_t thread;
    atomic_int requests, others; /* others: requests of paths that nobody should follow to */
    char last[REQUEST_MAX];
} raw;

static void send_text(int fd, const char *text)
{
    (void)send(fd, text, strlen(text), MSG_NOSIGNAL); /* the client may have left: that is a case */
}

static void send_endless(int fd, const char *head, const char *block)
{
    send_text(fd, head);
    while (send(fd, block, strlen(block), MSG_NOSIGNAL) > 0) {
    }
}

/* Header and body; returns the size, 0 when the client left. */
static size_t read_request(int fd, char *text)
{
    size_t size = 0, wanted = SIZE_MAX;
    while (size < wanted && size + 1 < REQUEST_MAX) {
        ssize_t got = recv(fd, text + size, REQUEST_MAX - 1 - size, 0);
        if (got <= 0) {
            return 0;
        }
        size += (size_t)got;
        text[size] = '\0';
        const char *end = strstr(text, "\r\n\r\n");
        const char *length = strstr(text, "Content-Length: ");
        if (end) { /* without a length there is no body */
            wanted = (size_t)(end + 4 - text) + (length ? strtoul(length + 16, NULL, 10) : 0);
        }
    }
    return size;
}

static void answer_script(int fd, const char *request)
{
    static char block[BLOCK_BYTES + 1];
    char text[256];
    memset(block, 'x', BLOCK_BYTES);
    if (strncmp(request, "POST /redirect", 14) == 0) {
        snprintf(text, sizeof text,
                 "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%d/other\r\nContent-Length: "
                 "0\r\n\r\n",
                 raw.port);
        send_text(fd, text);
    } else if (strncmp(request, "POST /endless-body", 18) == 0) {
        send_endless(fd, "HTTP/1.1 200 OK\r\n\r\n", block);
    } else if (strncmp(request, "POST /long", 10) == 0) {
        snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", BLOCK_BYTES);
        send_text(fd, text);
        send_text(fd, block);
    } else if (strncmp(request, "POST /endless-headers", 21) == 0) {
        send_endless(fd, "HTTP/1.1 200 OK\r\n",
                     "X-Flood: abcdefghijklmnopqrstuvwxyz0123456789\r\n");
    } else if (strncmp(request, "POST /half", 10) == 0) {
        send_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
    } else if (strncmp(request, "POST /garbage", 13) == 0) {
        send_text(fd, "what do you want?\r\n\r\n");
    } else if (strncmp(request, "POST /packed", 12) == 0) {
        send_text(
            fd, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 9\r\n\r\nnot gzip!");
    } else if (strncmp(request, "POST /later-date", 16) == 0) {
        send_text(fd, "HTTP/1.1 503 Busy\r\nRetry-After: Fri, 31 Dec 2199 23:59:59 "
                      "GMT\r\nContent-Length: 0\r\n\r\n");
    } else if (strncmp(request, "POST /control", 13) == 0) {
        send_text(fd, "HTTP/1.1 400 No\r\nContent-Length: 4\r\n\r\na\x1b\nb");
    } else if (strncmp(request, "POST /lost", 10) != 0) {
        atomic_fetch_add(&raw.others, 1);
        send_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    }
}

static void *serve_script(void *context)
{
    (void)context;
    for (;;) {
        int fd = accept(raw.listener, NULL, NULL);
        if (fd < 0) {
            return NULL;
        }
        char request[REQUEST_MAX];
        if (read_request(fd, request) > 0) {
            memcpy(raw.last, request, sizeof raw.last);
            atomic_fetch_add(&raw.requests, 1);
            answer_script(fd, request);
        }
        close(fd);
    }
}

static int listen_somewhere(int *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0 && bind(fd, (struct sockaddr *)&address, size) == 0 && listen(fd, 16) == 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static int start_script(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    raw.listener = listen_somewhere(&raw.port);
    return pthread_create(&raw.thread, NULL, serve_script, NULL);
}

static int stop_script(void **state)
{
    (void)state;
    shutdown(raw.listener, SHUT_RDWR);
    pthread_join(raw.thread, NULL);
    return close(raw.listener);
}

/* The client. */

static struct sync_http_client *client_of(int port, char ret_base[static 64])
{
    struct sync_http_client *client = NULL;
    struct sync_error err = {0};
    snprintf(ret_base, 64, "http://127.0.0.1:%d", port);
    assert_true(sync_is_ok(sync_http_client_new(ret_base, CLIENT_CALLS, &client, &err)));
    return client;
}

static void free_client(struct sync_http_client **client)
{
    sync_http_client_free(client);
}
#define CLIENT __attribute__((cleanup(free_client))) struct sync_http_client

static struct sync_http_answer_in wait_answer(struct sync_http_client *client)
{
    struct sync_http_answer_in answer = {0};
    int64_t until_us = sync_clock_monotonic_us() + PATIENCE_MS * 1000LL;
    while (sync_http_client_wait(client, 100, &answer, 1) == 0) {
        assert_true(sync_clock_monotonic_us() < until_us);
    }
    return answer;
}

/* One call to a path; the tag must come back. */
static struct sync_http_answer_in call_path(struct sync_http_client *client, const char *base,
                                            const char *path, int timeout_ms)
{
    char url[256];
    int tag = 0;
    struct sync_error err = {0};
    snprintf(url, sizeof url, "%s%s", base, path);
    struct sync_http_call call = {.url = url,
                                  .content_type = "application/json",
                                  .idempotency_key = "4f1c",
                                  .authorization = "Bearer abc",
                                  .body = sync_bytes_text("{\"a\":1}"),
                                  .timeout_ms = timeout_ms,
                                  .tag = &tag};
    assert_true(sync_is_ok(sync_http_client_send(client, &call, &err)));
    assert_int_equal(sync_http_client_in_flight(client), 1);
    struct sync_http_answer_in answer = wait_answer(client);
    assert_ptr_equal(answer.tag, &tag);
    assert_int_equal(sync_http_client_in_flight(client), 0);
    return answer;
}

static struct sync_http_answer_in call_script(const char *path)
{
    char base[64];
    CLIENT *client = client_of(raw.port, base);
    return call_path(client, base, path, PATIENCE_MS);
}

static void the_request_carries_what_was_asked_and_nothing_else(void **state)
{
    (void)state;
    struct sync_http_answer_in answer = call_script("/other");
    assert_false(answer.failed);
    assert_int_equal(answer.code, 200);
    assert_non_null(strstr(raw.last, "POST /other HTTP/1.1\r\n"));
    assert_non_null(strstr(raw.last, "Content-Type: application/json\r\n"));
    assert_non_null(strstr(raw.last, "Idempotency-Key: 4f1c\r\n"));
    assert_non_null(strstr(raw.last, "Authorization: Bearer abc\r\n"));
    assert_non_null(strstr(raw.last, "\r\n\r\n{\"a\":1}"));
    assert_null(strstr(raw.last, "Expect:"));
    assert_null(strstr(raw.last, "Accept-Encoding"));
    assert_null(strstr(raw.last, "Cookie"));
}

static struct sync_http_answer_in call_kept(const char *path, const char *method)
{
    char base[64], url[256];
    struct sync_error err = {0};
    CLIENT *client = client_of(raw.port, base);
    snprintf(url, sizeof url, "%s%s", base, path);
    struct sync_http_call call = {
        .method = method, .url = url, .timeout_ms = PATIENCE_MS, .keep_answer = true};
    assert_true(sync_is_ok(sync_http_client_send(client, &call, &err)));
    return wait_answer(client);
}

static void a_whole_answer_comes_back_only_when_it_is_wanted(void **state)
{
    (void)state;
    struct sync_http_answer_in answer = call_kept("/long", NULL);
    assert_false(answer.failed);
    assert_non_null(answer.body);
    assert_int_equal(strlen(answer.body), BLOCK_BYTES);
    free(answer.body);
    assert_null(call_script("/long").body);
}

static void an_answer_without_end_has_no_body(void **state)
{
    (void)state;
    struct sync_http_answer_in answer = call_kept("/endless-body", NULL);
    assert_false(answer.failed);
    assert_int_equal(answer.code, 200);
    assert_null(answer.body);
}

static void the_method_is_the_one_that_was_asked(void **state)
{
    (void)state;
    struct sync_http_answer_in answer = call_kept("/other", "PUT");
    assert_int_equal(answer.code, 200);
    assert_non_null(strstr(raw.last, "PUT /other HTTP/1.1\r\n"));
    assert_string_equal(answer.body, "");
    free(answer.body);
    answer = call_kept("/page?after=7", "GET");
    assert_int_equal(answer.code, 200);
    assert_non_null(strstr(raw.last, "GET /page?after=7 HTTP/1.1\r\n"));
    assert_null(strstr(raw.last, "Content-Length"));
    free(answer.body);
}

static void a_redirect_is_an_answer_and_is_not_followed(void **state)
{
    (void)state;
    int before = atomic_load(&raw.others);
    struct sync_http_answer_in answer = call_script("/redirect");
    assert_false(answer.failed);
    assert_int_equal(answer.code, 302);
    assert_int_equal(atomic_load(&raw.others), before);
}

static void a_body_without_end_is_cut_and_its_code_still_counts(void **state)
{
    (void)state;
    struct sync_http_answer_in answer = call_script("/endless-body");
    assert_false(answer.failed);
    assert_int_equal(answer.code, 200);
    assert_int_equal(strlen(answer.text), sizeof answer.text - 1);
}

static void headers_without_end_are_no_answer(void **state)
{
    (void)state;
    struct sync_http_answer_in answer = call_script("/endless-headers");
    assert_true(answer.failed);
    assert_true(answer.sent);
}

static void an_answer_that_is_lost_is_unknown(void **state)
{
    (void)state;
    struct sync_http_answer_in answer = call_script("/lost");
    assert_true(answer.failed);
    assert_true(answer.sent);
    assert_int_equal(answer.code, 0);
    assert_true(answer.text[0] != '\0');
}

static void a_call_without_reuse_is_sent_once(void **state)
{
    (void)state;
    int before = atomic_load(&raw.requests);
    (void)call_script("/lost");
    assert_int_equal(atomic_load(&raw.requests), before + 1);
}

static void half_a_body_is_unknown(void **state)
{
    (void)state;
    struct sync_http_answer_in answer = call_script("/half");
    assert_true(answer.failed);
    assert_true(answer.sent);
}

static void an_answer_that_is_not_http_is_unknown(void **state)
{
    (void)state;
    struct sync_http_answer_in answer = call_script("/garbage");
    assert_true(answer.failed);
    assert_true(answer.sent);
}

static void a_packed_body_is_not_unpacked(void **state)
{
    (void)state;
    struct sync_http_answer_in answer = call_script("/packed");
    assert_int_equal(answer.code, 200);
    assert_string_equal(answer.text, "not gzip!");
}

static void control_characters_of_an_answer_do_not_reach_a_log(void **state)
{
    (void)state;
    struct sync_http_answer_in answer = call_script("/control");
    assert_int_equal(answer.code, 400);
    assert_string_equal(answer.text, "a..b");
}

static void a_date_far_away_is_capped_like_seconds(void **state)
{
    (void)state;
    struct sync_http_answer_in answer = call_script("/later-date");
    assert_int_equal(answer.code, 503);
    assert_int_equal(answer.retry_after_s, SYNC_RETRY_AFTER_MAX_S);
}

static void a_refused_connection_was_surely_not_sent(void **state)
{
    (void)state;
    int port = 0;
    close(listen_somewhere(&port)); /* free again, and nobody listens */
    char base[64];
    CLIENT *client = client_of(port, base);
    struct sync_http_answer_in answer = call_path(client, base, "/x", PATIENCE_MS);
    assert_true(answer.failed);
    assert_false(answer.sent);
}

static void a_server_that_never_answers_times_out_as_unknown(void **state)
{
    (void)state;
    int port = 0;
    int silent = listen_somewhere(&port); /* the kernel accepts, nobody reads */
    char base[64];
    CLIENT *client = client_of(port, base);
    struct sync_http_answer_in answer = call_path(client, base, "/x", 300);
    assert_true(answer.failed);
    assert_true(answer.sent);
    close(silent);
}

static void proxies_of_the_environment_are_ignored(void **state)
{
    (void)state;
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("all_proxy", "http://127.0.0.1:1", 1);
    struct sync_http_answer_in answer = call_script("/other");
    unsetenv("http_proxy");
    unsetenv("all_proxy");
    assert_false(answer.failed);
    assert_int_equal(answer.code, 200);
}

/* libmicrohttpd as the other side. */

static struct sync_http_request *kept;
static pthread_mutex_t kept_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t kept_changed = PTHREAD_COND_INITIALIZER;
static atomic_int taken;

static void handle(struct sync_http_request *request, void *context)
{
    (void)context;
    atomic_fetch_add(&taken, 1);
    if (strcmp(request->path, "/keep") == 0) {
        pthread_mutex_lock(&kept_lock);
        kept = request;
        pthread_cond_broadcast(&kept_changed);
        pthread_mutex_unlock(&kept_lock);
        return;
    }
    if (strcmp(request->path, "/drop") == 0) {
        sync_http_drop(request);
        return;
    }
    int code = atoi(request->path + 1);
    sync_http_answer(request, code, "text/plain", request->body,
                     code == 429   ? 7
                     : code == 503 ? 3600
                                   : 0);
}

static struct sync_http_server *start_server(char ret_base[static 64])
{
    struct sync_http_server *server = NULL;
    struct sync_error err = {0};
    struct sync_http_server_options options = {
        .listen = "127.0.0.1:0", .body_bytes_max = 65536, .connections_max = 64, .handler = handle};
    assert_true(sync_is_ok(sync_http_server_new(&options, &server, &err)));
    snprintf(ret_base, 64, "http://%s", sync_http_server_address(server));
    return server;
}

static void codes_bodies_and_waits_of_a_real_server_come_back(void **state)
{
    (void)state;
    char base[64];
    struct sync_http_server *server = start_server(base);
    struct sync_http_client *client = NULL;
    struct sync_error err = {0};
    assert_true(sync_is_ok(sync_http_client_new(base, CLIENT_CALLS, &client, &err)));
    static const int codes[] = {200, 204, 400, 401, 404, 409, 410, 422, 429, 500, 503};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        char path[16];
        snprintf(path, sizeof path, "/%d", codes[i]);
        struct sync_http_answer_in answer = call_path(client, base, path, PATIENCE_MS);
        assert_false(answer.failed);
        assert_int_equal(answer.code, codes[i]);
        assert_int_equal(answer.retry_after_s, codes[i] == 429   ? 7
                                               : codes[i] == 503 ? SYNC_RETRY_AFTER_MAX_S
                                                                 : 0);
        if (codes[i] == 200) {
            assert_string_equal(answer.text, "{\"a\":1}");
        }
    }
    sync_http_client_free(&client);
    sync_http_server_free(&server);
}

static void a_connection_that_the_server_drops_is_unknown(void **state)
{
    (void)state;
    char base[64];
    struct sync_http_server *server = start_server(base);
    struct sync_http_client *client = NULL;
    struct sync_error err = {0};
    assert_true(sync_is_ok(sync_http_client_new(base, 1, &client, &err)));
    struct sync_http_answer_in answer = call_path(client, base, "/drop", PATIENCE_MS);
    assert_true(answer.failed);
    assert_true(answer.sent);
    sync_http_client_free(&client);
    sync_http_server_free(&server);
}

static void many_calls_fly_at_once_and_no_more_than_there_is_room(void **state)
{
    (void)state;
    char base[64], url[128];
    struct sync_http_server *server = start_server(base);
    struct sync_http_client *client = NULL;
    struct sync_error err = {0};
    assert_true(sync_is_ok(sync_http_client_new(base, CLIENT_CALLS, &client, &err)));
    snprintf(url, sizeof url, "%s/200", base);
    struct sync_http_call call = {
        .url = url, .content_type = "text/plain", .timeout_ms = PATIENCE_MS, .reuse = true};
    for (int i = 0; i < CLIENT_CALLS; i++) {
        assert_true(sync_is_ok(sync_http_client_send(client, &call, &err)));
    }
    sync_status status = sync_http_client_send(client, &call, &err);
    assert_int_equal(status.class, SYNC_CLASS_RETRY);
    assert_int_equal(err.code, SYNC_CODE_MEMORY_LIMIT);
    for (int i = 0; i < CLIENT_CALLS; i++) {
        assert_int_equal(wait_answer(client).code, 200);
    }
    assert_true(sync_is_ok(sync_http_client_send(client, &call, &err)));
    assert_int_equal(wait_answer(client).code, 200);
    sync_http_client_free(&client);
    sync_http_server_free(&server);
}

/* Another thread: waits until the request is kept, then wakes the client. */
static void *wake_when_kept(void *context)
{
    pthread_mutex_lock(&kept_lock);
    while (!kept) {
        pthread_cond_wait(&kept_changed, &kept_lock);
    }
    pthread_mutex_unlock(&kept_lock);
    sync_http_client_wake(context);
    return NULL;
}

static void a_wait_ends_when_it_is_woken_and_abort_cuts_what_flies(void **state)
{
    (void)state;
    char base[64], url[128];
    struct sync_http_server *server = start_server(base);
    struct sync_http_client *client = NULL;
    struct sync_error err = {0};
    struct sync_http_answer_in answer;
    assert_true(sync_is_ok(sync_http_client_new(base, 2, &client, &err)));
    snprintf(url, sizeof url, "%s/keep", base);
    struct sync_http_call call = {.url = url, .timeout_ms = PATIENCE_MS};
    assert_true(sync_is_ok(sync_http_client_send(client, &call, &err)));
    pthread_t waker;
    assert_int_equal(pthread_create(&waker, NULL, wake_when_kept, client), 0);
    int64_t begun_us = sync_clock_monotonic_us();
    while (pthread_tryjoin_np(waker, NULL) != 0) {
        assert_int_equal(sync_http_client_wait(client, PATIENCE_MS, &answer, 1), 0);
    }
    assert_true(sync_clock_monotonic_us() - begun_us < PATIENCE_MS * 1000LL);
    sync_http_client_abort(client);
    assert_int_equal(sync_http_client_in_flight(client), 0);
    assert_int_equal(sync_http_client_wait(client, 0, &answer, 1), 0);
    sync_http_answer(kept, 200, NULL, (struct sync_bytes){NULL, 0}, 0);
    sync_http_client_free(&client);
    sync_http_server_free(&server);
}

/* Addresses. */

static void only_https_or_loopback_makes_a_client(void **state)
{
    (void)state;
    static const char *const refused[] = {"http://192.0.2.1",
                                          "http://192.0.2.1:80/path",
                                          "http://[2001:db8::1]",
                                          "ftp://127.0.0.1",
                                          "file:///etc/passwd",
                                          "127.0.0.1:80",
                                          "",
                                          "http://user:x@127.0.0.1",
                                          "https://user@example.test",
                                          "http://0.0.0.0",
                                          "gopher://127.0.0.1",
                                          "http://"};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct sync_http_client *client = NULL;
        struct sync_error err = {0};
        sync_status status = sync_http_client_new(refused[i], 1, &client, &err);
        assert_int_equal(status.class, SYNC_CLASS_FATAL);
        assert_int_equal(err.code, SYNC_CODE_INSECURE);
        assert_null(client);
    }
    static const char *const taken_over[] = {"https://example.test/base/", "http://127.0.0.1:80",
                                             "http://[::1]:80", "http://localhost:80"};
    for (size_t i = 0; i < sizeof taken_over / sizeof taken_over[0]; i++) {
        struct sync_http_client *client = NULL;
        struct sync_error err = {0};
        assert_true(sync_is_ok(sync_http_client_new(taken_over[i], 1, &client, &err)));
        sync_http_client_free(&client);
        assert_null(client);
    }
}

static void a_call_must_stay_below_the_base(void **state)
{
    (void)state;
    static const char *const outside[] = {"http://127.0.0.1:1/x", "http://127.0.0.1:80evil/x",
                                          "http://127.0.0.1:80@example.test/x",
                                          "http://127.0.0.1:80", "https://127.0.0.1:80/x"};
    struct sync_http_client *client = NULL;
    struct sync_error err = {0};
    assert_true(sync_is_ok(sync_http_client_new("http://127.0.0.1:80", 1, &client, &err)));
    for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++) {
        struct sync_http_call call = {.url = outside[i]};
        assert_int_equal(sync_http_client_send(client, &call, &err).class, SYNC_CLASS_FATAL);
        assert_int_equal(err.code, SYNC_CODE_INSECURE);
    }
    sync_http_client_free(&client);
}

static void a_header_with_a_line_end_is_refused(void **state)
{
    (void)state;
    struct sync_http_client *client = NULL;
    struct sync_error err = {0};
    assert_true(sync_is_ok(sync_http_client_new("http://127.0.0.1:80", 1, &client, &err)));
    struct sync_http_call call = {.url = "http://127.0.0.1:80/x",
                                  .authorization = "Bearer a\r\nX-Evil: 1"};
    assert_int_equal(sync_http_client_send(client, &call, &err).class, SYNC_CLASS_FATAL);
    assert_int_equal(err.code, SYNC_CODE_LENGTH);
    assert_int_equal(sync_http_client_in_flight(client), 0);
    sync_http_client_free(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_request_carries_what_was_asked_and_nothing_else),
        cmocka_unit_test(a_whole_answer_comes_back_only_when_it_is_wanted),
        cmocka_unit_test(an_answer_without_end_has_no_body),
        cmocka_unit_test(the_method_is_the_one_that_was_asked),
        cmocka_unit_test(a_redirect_is_an_answer_and_is_not_followed),
        cmocka_unit_test(a_body_without_end_is_cut_and_its_code_still_counts),
        cmocka_unit_test(headers_without_end_are_no_answer),
        cmocka_unit_test(an_answer_that_is_lost_is_unknown),
        cmocka_unit_test(a_call_without_reuse_is_sent_once),
        cmocka_unit_test(half_a_body_is_unknown),
        cmocka_unit_test(an_answer_that_is_not_http_is_unknown),
        cmocka_unit_test(a_packed_body_is_not_unpacked),
        cmocka_unit_test(control_characters_of_an_answer_do_not_reach_a_log),
        cmocka_unit_test(a_date_far_away_is_capped_like_seconds),
        cmocka_unit_test(a_refused_connection_was_surely_not_sent),
        cmocka_unit_test(a_server_that_never_answers_times_out_as_unknown),
        cmocka_unit_test(proxies_of_the_environment_are_ignored),
        cmocka_unit_test(codes_bodies_and_waits_of_a_real_server_come_back),
        cmocka_unit_test(a_connection_that_the_server_drops_is_unknown),
        cmocka_unit_test(many_calls_fly_at_once_and_no_more_than_there_is_room),
        cmocka_unit_test(a_wait_ends_when_it_is_woken_and_abort_cuts_what_flies),
        cmocka_unit_test(only_https_or_loopback_makes_a_client),
        cmocka_unit_test(a_call_must_stay_below_the_base),
        cmocka_unit_test(a_header_with_a_line_end_is_refused),
    };
    return cmocka_run_group_tests_name("http_client", tests, start_script, stop_script);
}
