/*
 * Shows what a client.properties may hold and how it is read, by the rules of Java's Properties,
 * and that each wrong line is named. How: files in a directory of the test; what is handed over is
 * written down as "line name=value;".
 */
#include "runtime/client_file.h"
#include "runtime/kafka.h"
#include "runtime/kafka_java.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[] = "test_client_file_XXXXXX";
static char seen[4096];
static struct sync_error err;

static int make_file(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 || close(fd) != 0;
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

static sync_status take(void *context, const struct sync_client_property *property,
                        struct sync_error *ret_err)
{
    (void)context;
    size_t used = strlen(seen);
    assert_true(property->fd >= 0);
    assert_string_equal(property->path, path);
    if (strcmp(property->value, "refuse") == 0) {
        return sync_fail(ret_err, SYNC_CLASS_FATAL, SYNC_CODE_CONFIG, "refused");
    }
    (void)snprintf(seen + used, sizeof seen - used, "%d %s=%s;", property->line, property->name,
                   property->value);
    return SYNC_OK;
}

static sync_status read_bytes(const char *text, size_t size)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    seen[0] = '\0';
    memset(&err, 0, sizeof err);
    return sync_client_file_read(path, take, NULL, &err);
}

static void gives(const char *text, const char *expected)
{
    if (!sync_is_ok(read_bytes(text, strlen(text)))) {
        fail_msg("%s", err.text);
    }
    assert_string_equal(seen, expected);
}

static void refused(const char *text, size_t size, const char *expected)
{
    assert_int_equal(read_bytes(text, size).class, SYNC_CLASS_FATAL);
    assert_int_equal(err.code, SYNC_CODE_SYNTAX);
    if (strstr(err.text, expected) == NULL) {
        fail_msg("expected \"%s\" in \"%s\"", expected, err.text);
    }
}

static void refused_text(const char *text, const char *expected)
{
    refused(text, strlen(text), expected);
}

static void names_and_values_part_at_a_mark_or_a_blank(void **state)
{
    (void)state;
    gives("", "");
    gives("\n\r\n   \n", "");
    gives("a=1\nb:2\nc 3\nd = 4\ne\t:\t5\nf", "1 a=1;2 b=2;3 c=3;4 d=4;5 e=5;6 f=;");
    gives("a==b\nc=:d\ne=f = g  \n", "1 a==b;2 c=:d;3 e=f = g  ;");
    gives("a=1\r\nb=2\rc=3", "1 a=1;2 b=2;3 c=3;");
}

static void comments_are_passed_over_and_do_not_go_on(void **state)
{
    (void)state;
    gives("# a=1\n  ! b=2 \\\nc=3 # no comment\n#", "3 c=3 # no comment;");
}

static void a_line_goes_on_behind_a_backslash(void **state)
{
    (void)state;
    gives("a=x,\\\n   y,\\\r\n\tz\nb=1", "1 a=x,y,z;4 b=1;");
    gives("a=x\\\\\nb=1", "1 a=x\\;2 b=1;"); /* an escaped backslash does not go on */
    gives("a=x\\", "1 a=x;");
    gives("a=x\\\n# no comment here\nb=1", "1 a=x# no comment here;3 b=1;");
    gives("a\\\n b=1", "1 ab=1;");
}

static void escapes_stand_for_their_character(void **state)
{
    (void)state;
    gives("a\\=b=1\\t2\\n3\\\\4\\q5\\:", "1 a=b=1\t2\n3\\4q5:;");
    gives("a\\ b c=\\u00e6\\u20AC\\u0041", "1 a b=c=\xc3\xa6\xe2\x82\xac"
                                           "A;");
    gives("a=\\  x", "1 a=  x;");
    gives("a=\xc3\xa6", "1 a=\xc3\xa6;");
    refused_text("a=1\nb=\\u00g1", ":2: \\u takes four hexadecimal digits");
    refused_text("a=\\u12", ":1: \\u takes four hexadecimal digits");
    refused_text("a=\\u0000", ":1: \\u takes four hexadecimal digits");
    refused_text("a=\\ud83d\\ude00", ":1: \\u takes four hexadecimal digits");
}

static void wrong_lines_are_named(void **state)
{
    (void)state;
    refused_text("a=1\n\nb=2\na=3\n", ":4: a stands twice; remove one");
    refused_text("a=1\n=2\n", ":2: the name of a property is missing");
    refused("a=1\nb=\0", 7, ":2: a byte is not UTF-8 text");
    refused_text("a=1\nb=\xff", ":2: a byte is not UTF-8 text");
    char many[65 * 8] = "";
    for (int i = 0; i < 65; i++) {
        (void)snprintf(many + strlen(many), sizeof many - strlen(many), "p%d=\n", i);
    }
    refused_text(many, ":65: there are more than 64 properties");
}

static void a_refusal_of_the_taker_ends_the_reading(void **state)
{
    (void)state;
    assert_int_equal(read_bytes("a=1\nb=refuse\nc=3\n", 17).class, SYNC_CLASS_FATAL);
    assert_int_equal(err.code, SYNC_CODE_CONFIG);
    assert_string_equal(seen, "1 a=1;");
}

static void a_file_that_cannot_be_read_says_why(void **state)
{
    (void)state;
    static char large[64 * 1024 + 1];
    memset(large, '#', sizeof large);
    assert_int_equal(sync_client_file_read("/nonexistent/x", take, NULL, &err).class,
                     SYNC_CLASS_FATAL);
    assert_int_equal(err.code, SYNC_CODE_FILE);
    assert_string_equal(err.text, "read /nonexistent/x: No such file or directory");
    assert_int_equal(sync_client_file_read("/", take, NULL, &err).class, SYNC_CLASS_FATAL);
    assert_string_equal(err.text, "read /: Is a directory");
    assert_int_equal(read_bytes(large, sizeof large).class, SYNC_CLASS_FATAL);
    assert_non_null(strstr(err.text, "larger than 64 KiB"));
    assert_true(sync_is_ok(read_bytes(large, sizeof large - 1)));
}

/* What the hints tell people to write, the client must know. */
static void hints_name_properties_that_the_client_has(void **state)
{
    (void)state;
    static const char *const java[] = {"ssl.truststore.location",
                                       "ssl.truststore.certificates",
                                       "ssl.keystore.certificate.chain",
                                       "ssl.keystore.key",
                                       "ssl.keystore.type",
                                       "sasl.jaas.config",
                                       "fetch.max.wait.ms",
                                       "receive.buffer.bytes",
                                       "send.buffer.bytes",
                                       "max.request.size",
                                       "buffer.memory"};
    for (size_t i = 0; i < sizeof java / sizeof java[0]; i++) {
        const char *hint = kafka_java_hint(java[i]), *at = strstr(hint, "write ");
        char name[64];
        assert_non_null(at);
        assert_int_equal(sscanf(at, "write %63[a-z.]", name), 1);
        assert_null(kafka_java_hint(name));
        (void)sync_kafka_property_check(name, "1000", false, &err);
        assert_null(strstr(err.text, "has no property"));
        memset(&err, 0, sizeof err);
        assert_int_equal(sync_kafka_property_check(java[i], "x", false, &err).class,
                         SYNC_CLASS_FATAL);
        assert_non_null(strstr(err.text, "is a property of the Java client; "));
    }
    assert_non_null(kafka_java_hint("metrics.num.samples"));
    assert_null(kafka_java_hint("linger.ms"));
}

static void a_property_is_judged_by_the_client_itself(void **state)
{
    (void)state;
    assert_true(sync_is_ok(sync_kafka_property_check("linger.ms", "5", false, &err)));
    assert_true(sync_is_ok(sync_kafka_property_check("acks", "all", false, &err)));
    static const struct {
        const char *name, *value, *expected;
        bool secret;
    } wrong[] = {
        {"sasl.usernam", "x", "has no property sasl.usernam; did you mean sasl.username?", false},
        {"no.such.thing.anywhere", "x", "has no property no.such.thing.anywhere; remove it", false},
        {"linger.ms", "soon", "set linger.ms: Invalid value", false},
        {"security.protocol", "hunter2", "set security.protocol: the client does not take", true},
        {"acks", "1", "acks is fixed at all", false},
        {"group.id", "x", "group.id has its own option or is not used", false},
        {"enable.auto.commit", "true", "enable.auto.commit is fixed at false", false},
        {"plugin.library.paths", "x", "plugin.library.paths has its own option or is not", false},
        {"enable.sasl.oauthbearer.unsecure.jwt", "true", "is fixed at false; remove it", false},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(
            sync_kafka_property_check(wrong[i].name, wrong[i].value, wrong[i].secret, &err).class,
            SYNC_CLASS_FATAL);
        assert_int_equal(err.code, SYNC_CODE_CONFIG);
        assert_null(strstr(err.text, "hunter2"));
        if (strstr(err.text, wrong[i].expected) == NULL) {
            fail_msg("expected \"%s\" in \"%s\"", wrong[i].expected, err.text);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_values_part_at_a_mark_or_a_blank),
        cmocka_unit_test(comments_are_passed_over_and_do_not_go_on),
        cmocka_unit_test(a_line_goes_on_behind_a_backslash),
        cmocka_unit_test(escapes_stand_for_their_character),
        cmocka_unit_test(wrong_lines_are_named),
        cmocka_unit_test(a_refusal_of_the_taker_ends_the_reading),
        cmocka_unit_test(a_file_that_cannot_be_read_says_why),
        cmocka_unit_test(hints_name_properties_that_the_client_has),
        cmocka_unit_test(a_property_is_judged_by_the_client_itself),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
