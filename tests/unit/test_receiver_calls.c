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
#include "receiver_child.h"
#include "runtime/clock.h"

#include <sys/stat.h>

#define PATH   "/correspondence/api/v1/migration/correspondence/"
#define STATUS PATH "syncStatusEvent"
#define GOOD                                                                                       \
    "{\"correspondenceId\":\"7c9e6679-7425-40de-944b-e07fc1f90ae7\",\"syncedStatusEvents\":[{"     \
    "\"status\":4,"                                                                                \
    "\"statusChanged\":\"2025-03-04T09:00:00Z\",\"eventUserPartyUuid\":\"00000000-0000-0000-0000-" \
    "0000000000aa\"}]}"

static char token_file[64];

static void each_wrong_call_gets_its_code(void **state)
{
    (void)state;
    base_config();
    struct child child = start_child(sync_receiver_run);
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
    struct child child = start_child(sync_receiver_run);
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
    struct child child = start_child(sync_receiver_run);
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
    struct child child = start_child(sync_receiver_run);
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
    struct child child = start_child(sync_receiver_run);
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
