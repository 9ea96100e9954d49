/*
 * Shows what the receiver of delegations answers before anything is looked up or produced: path,
 * method, type, body, and the paths of exports; and that it says 503, never 404 and never 201,
 * while database and broker are away.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../connectors/altinn2/receiver.h"
#include "receiver_child.h"

#define SERVICE  "/accessmanagement/api/v1/delegations/"
#define MESSAGE  "/accessmanagement/api/v1/internal-a2/instance/"
#define SNAPSHOT "0f0f0f0f-0000-4000-8000-0000000000ee"
#define EXPORT   "/export/" SNAPSHOT "/"
#define UUID_A   "7c9e6679-7425-40de-944b-e07fc1f90ae7"
#define UUID_B   "00000000-0000-0000-0000-0000000000aa"
#define POLICY                                                                                     \
    "\"offeredByPartyId\":50001,\"coveredBy\":[{\"id\":\"urn:altinn:userid\",\"value\":\"2\"}],"   \
    "\"resource\":[{\"id\":\"urn:altinn:resource\",\"value\":\"r\"}]"
#define RULES "[{" POLICY ",\"action\":{\"value\":\"Read\"}}]"
#define DELETION                                                                                   \
    "[{\"ruleIds\":[\"" UUID_A "\"],\"deletedByUserId\":1,\"policyMatch\":{" POLICY "}}]"
#define CLEARING "[{\"deletedByUserId\":1,\"policyMatch\":{" POLICY "}}]"
#define RIGHT                                                                                      \
    "{\"authorizationruleid\":501,\"created\":\"2025-03-04T10:00:00Z\",\"fromuuid\":\"" UUID_A     \
    "\",\"touuid\":\"" UUID_B "\",\"performedby\":\"" UUID_A "\",\"resourceid\":\"r\","            \
    "\"instanceid\":\"" UUID_A "\",\"actions\":[\"read\"]}"

static void start_config(void)
{
    base_config();
    snprintf(config.database_authorization_dsn, sizeof config.database_authorization_dsn,
             "host=127.0.0.1 port=1 dbname=none user=none");
    snprintf(config.data_dir, sizeof config.data_dir, "%s/data", SYNC_SOURCE_DIR);
    snprintf(config.capture_export_path_prefix, sizeof config.capture_export_path_prefix,
             "export/");
}

static void each_wrong_call_gets_its_code(void **state)
{
    (void)state;
    static const struct {
        const char *method, *path, *headers, *body;
        int code;
    } rows[] = {
        {"POST", "/", JSON, RULES, 404},
        {"POST", SERVICE, JSON, RULES, 404},
        {"POST", SERVICE "addRules", JSON, RULES, 404},
        {"POST", SERVICE "addrules/", JSON, RULES, 404},
        {"POST", "export:end", JSON, "{}", 404},
        {"GET", SERVICE "addrules", "", "", 405},
        {"PUT", MESSAGE "revoke", JSON, RIGHT, 405},
        {"POST", SERVICE "addrules", "", RULES, 415},
        {"POST", MESSAGE "delegation", "Content-Type: text/plain\r\n", RIGHT, 415},
        {"POST", SERVICE "addrules", JSON, "[]", 400},
        {"POST", SERVICE "deleterules", JSON, CLEARING, 400},
        {"POST", SERVICE "deletepolicy", JSON, "[{\"deletedByUserId\":0}]", 400},
        {"POST", MESSAGE "delegation", JSON, "[" RIGHT "]", 400},
        {"POST", EXPORT, JSON, "{}", 404},
        {"POST", "/export/" UUID_A, JSON, "{}", 404},
        {"POST", "/export/7/12/end", JSON, "{}", 404},
        {"POST", "/export/00000000-0000-0000-0000-000000000000/12/end", JSON, "{}", 404},
        {"POST", EXPORT "x/end", JSON, "{}", 404},
        {"POST", EXPORT "-1/end", JSON, "{}", 404},
        {"POST", EXPORT "9999999999999999999/end", JSON, "{}", 404},
        {"POST", EXPORT "12/begin", JSON, "{}", 404},
        {"POST", EXPORT "12" MESSAGE "delegation", JSON, RIGHT, 404},
        {"POST", EXPORT "12" SERVICE "deletepolicy", JSON, CLEARING, 400},
        {"POST", EXPORT "12" SERVICE "addrules", JSON, "[]", 400},
        {"POST", EXPORT "12/end", JSON, "{\"resource\":\"r\"}", 400},
        {"GET", EXPORT "12/end", "", "", 405},
    };
    start_config();
    struct child child = start_child(sync_capture_altinn2_delegation_run);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int code = call(&child, rows[i].method, rows[i].path, rows[i].headers, rows[i].body);
        if (code != rows[i].code) {
            fail_msg("%s %s: %d, wanted %d\n%s", rows[i].method, rows[i].path, code, rows[i].code,
                     answer);
        }
    }
    assert_int_equal(call(&child, "POST", SERVICE "addrules", JSON,
                          "[{" POLICY ",\"action\":{\"value\":\"Read\"}},{}]"),
                     400);
    assert_non_null(strstr(answer, "Content-Type: application/problem+json"));
    assert_non_null(strstr(answer, "\"pointer\":\"/1/offeredByPartyId\""));
    assert_int_equal(end_child(&child), 0);
}

static void without_database_or_broker_it_is_503_with_a_wait(void **state)
{
    (void)state;
    static const struct {
        const char *path, *body;
    } rows[] = {
        {SERVICE "addrules", RULES},
        {SERVICE "deleterules", DELETION},
        {SERVICE "deletepolicy", CLEARING},
        {MESSAGE "delegation", RIGHT},
        {MESSAGE "revoke", RIGHT},
        {EXPORT "begin", "{}"},
        {EXPORT "12" SERVICE "addrules", RULES},
        {EXPORT "12/end", "{\"resource\":\"r\",\"count\":0}"},
    };
    start_config();
    struct child child = start_child(sync_capture_altinn2_delegation_run);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int code = call(&child, "POST", rows[i].path, JSON, rows[i].body);
        if (code != 503) {
            fail_msg("%s: %d", rows[i].path, code);
        }
        assert_non_null(strstr(answer, "Retry-After: "));
    }
    assert_int_equal(end_child(&child), 0);
}

static void an_empty_prefix_takes_no_exports(void **state)
{
    (void)state;
    start_config();
    config.capture_export_path_prefix[0] = '\0';
    struct child child = start_child(sync_capture_altinn2_delegation_run);
    assert_int_equal(call(&child, "POST", EXPORT "12/end", JSON, "{}"), 404);
    assert_int_equal(call(&child, "POST", SERVICE "addrules", JSON, RULES), 503);
    assert_int_equal(end_child(&child), 0);
}

/* A start that is refused, in this process: it ends before anything runs. */
static void refuses_to_start(enum sync_code code, const char *word)
{
    struct sync_error err = {0};
    assert_int_equal(sync_capture_altinn2_delegation_run(&config, &err).class, SYNC_CLASS_FATAL);
    assert_int_equal(err.code, code);
    if (!strstr(err.text, word)) {
        fail_msg("\"%s\" does not name %s", err.text, word);
    }
}

static void a_start_with_wrong_settings_is_refused_by_name(void **state)
{
    (void)state;
    start_config();
    config.database_authorization_dsn[0] = '\0';
    refuses_to_start(SYNC_CODE_CONFIG, "database.authorization_dsn");
    static const char *const prefixes[] = {"/export/", "export", "a b/", "a?/", "../"};
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        start_config();
        snprintf(config.capture_export_path_prefix, sizeof config.capture_export_path_prefix, "%s",
                 prefixes[i]);
        refuses_to_start(SYNC_CODE_CONFIG, "capture.export_path_prefix");
    }
    start_config();
    snprintf(config.capture_altinn2_own_party_uuid, sizeof config.capture_altinn2_own_party_uuid,
             "nobody");
    refuses_to_start(SYNC_CODE_CONFIG, "capture.altinn2_own_party_uuid");
    start_config();
    snprintf(config.data_dir, sizeof config.data_dir, "/nonexistent");
    refuses_to_start(SYNC_CODE_FILE, "/nonexistent");
    start_config();
    snprintf(config.capture_listen, sizeof config.capture_listen, "0.0.0.0:0");
    refuses_to_start(SYNC_CODE_INSECURE, "capture.token_file");
}

static int begin(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_wrong_call_gets_its_code),
        cmocka_unit_test(without_database_or_broker_it_is_503_with_a_wait),
        cmocka_unit_test(an_empty_prefix_takes_no_exports),
        cmocka_unit_test(a_start_with_wrong_settings_is_refused_by_name),
    };
    return cmocka_run_group_tests_name("delegation_receiver", tests, begin, NULL);
}
