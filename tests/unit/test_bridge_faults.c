/* Shows which lines of a fault file the simulated bridge understands, and that every other one is
 * refused with its place. The parser belongs to a program of the local stack, so it is compiled in
 * here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../dev/simulator/faults.c"

static struct faults parsed;
static struct sync_error err;

static void reads(const char *text)
{
    memset(&parsed, 0, sizeof parsed);
    assert_true(sync_is_ok(faults_parse("faults", "bridge", text, &parsed, &err)));
}

static void the_lines_of_the_issue_are_understood(void **state)
{
    (void)state;
    reads("at 20s for 10s bridge 503\n"
          "bridge lose-answer 1%\n"
          "bridge apply-twice 1%\n"
          "bridge delay 200ms\n"
          "bridge 410\n");
    assert_int_equal(parsed.count, 5);
    assert_int_equal(parsed.items[0].action, FAULT_ANSWER);
    assert_int_equal(parsed.items[0].code, 503);
    assert_int_equal(parsed.items[0].from_ms, 20000);
    assert_int_equal(parsed.items[0].until_ms, 30000);
    assert_int_equal(parsed.items[0].permille, 1000);
    assert_int_equal(parsed.items[1].action, FAULT_LOSE_ANSWER);
    assert_int_equal(parsed.items[1].permille, 10);
    assert_int_equal(parsed.items[1].from_ms, 0);
    assert_true(parsed.items[1].until_ms == INT64_MAX);
    assert_int_equal(parsed.items[2].action, FAULT_APPLY_TWICE);
    assert_int_equal(parsed.items[3].action, FAULT_DELAY);
    assert_int_equal(parsed.items[3].delay_ms, 200);
    assert_int_equal(parsed.items[4].code, 410);
}

static void each_subject_has_its_own_lines_and_words(void **state)
{
    (void)state;
    static const char text[] = "feed repeat 2%\nbridge 503\nfeed 500 1%\n";
    assert_true(sync_is_ok(faults_parse("faults", "feed", text, &parsed, &err)));
    assert_int_equal(parsed.count, 2);
    assert_int_equal(parsed.items[0].action, FAULT_REPEAT);
    assert_int_equal(parsed.items[0].permille, 20);
    assert_int_equal(parsed.items[1].code, 500);
    assert_false(sync_is_ok(faults_parse("faults", "feed", "feed apply-twice 1%", &parsed, &err)));
    assert_non_null(
        strstr(err.text, "faults:1:6: known are a code such as 503, lose-answer, repeat"));
    assert_false(sync_is_ok(faults_parse("faults", "bridge", "bridge repeat 1%", &parsed, &err)));
}

static void when_may_stand_in_either_order_and_alone(void **state)
{
    (void)state;
    reads("for 10s at 1m bridge 503\nfor 500ms bridge 500\nat 2s bridge 504");
    assert_int_equal(parsed.items[0].from_ms, 60000);
    assert_int_equal(parsed.items[0].until_ms, 70000);
    assert_int_equal(parsed.items[1].until_ms, 500);
    assert_int_equal(parsed.items[2].from_ms, 2000);
    assert_true(parsed.items[2].until_ms == INT64_MAX);
}

static void a_code_may_hit_a_share_of_the_calls(void **state)
{
    (void)state;
    reads("bridge 503 12.5%\nbridge lose-answer 0.1%\nbridge apply-twice 100%");
    assert_int_equal(parsed.items[0].permille, 125);
    assert_int_equal(parsed.items[1].permille, 1);
    assert_int_equal(parsed.items[2].permille, 1000);
}

static void blank_lines_comments_and_other_subjects_are_passed_over(void **state)
{
    (void)state;
    reads("# what goes wrong\n"
          "\n"
          "   \t\n"
          "at 30s kill status-to-altinn3   # of the demo\n"
          "at 1s for 2s broker pause\n"
          "bridge 503   # of us\r\n");
    assert_int_equal(parsed.count, 1);
    reads("");
    assert_int_equal(parsed.count, 0);
}

static void wrong_lines_are_refused_with_their_place(void **state)
{
    (void)state;
    static const struct {
        const char *text, *place;
    } rows[] = {
        {"bridge\n", "faults:1:7:"},
        {"bridge fly\n", "faults:1:8:"},
        {"bridge 99\n", "faults:1:8:"},
        {"bridge 600\n", "faults:1:8:"},
        {"bridge 5033\n", "faults:1:8:"},
        {"bridge 50x\n", "faults:1:8:"},
        {"bridge lose-answer\n", "faults:1:19:"},
        {"bridge lose-answer 1\n", "faults:1:20:"},
        {"bridge lose-answer 0%\n", "faults:1:20:"},
        {"bridge lose-answer 101%\n", "faults:1:20:"},
        {"bridge lose-answer -1%\n", "faults:1:20:"},
        {"bridge lose-answer nan%\n", "faults:1:20:"},
        {"bridge delay\n", "faults:1:13:"},
        {"bridge delay 200\n", "faults:1:14:"},
        {"bridge delay 200h\n", "faults:1:14:"},
        {"bridge delay -1s\n", "faults:1:14:"},
        {"bridge delay 99999999999999999999s\n", "faults:1:14:"},
        {"bridge delay 200ms 1%\n", "faults:1:20:"},
        {"bridge 503 more\n", "faults:1:12:"},
        {"bridge 503 1% more\n", "faults:1:15:"},
        {"at bridge 503\n", "faults:1:4:"},
        {"at 20s for bridge 503\n", "faults:1:12:"},
        {"\n# one\nat 20 bridge 503\n", "faults:3:4:"},
        {"at 20s\n", "faults:1:7:"},
        {"at 20s for 10s # nothing\n", "faults:1:16:"},
        {"at 20s at 30s at 40s bridge 503\nbridge 503\nat x\n", "faults:3:4:"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct faults untouched = {.count = 77};
        sync_status status = faults_parse("faults", "bridge", rows[i].text, &untouched, &err);
        if (status.class != SYNC_CLASS_FATAL ||
            strncmp(err.text, rows[i].place, strlen(rows[i].place)) != 0) {
            print_message("line %s -> class %d, %s; wanted %s\n", rows[i].text, (int)status.class,
                          err.text, rows[i].place);
        }
        assert_int_equal(status.class, SYNC_CLASS_FATAL);
        assert_int_equal(err.code, SYNC_CODE_SYNTAX);
        assert_memory_equal(err.text, rows[i].place, strlen(rows[i].place));
        assert_int_equal(untouched.count, 77);
    }
}

static void one_file_holds_so_many_faults_and_no_more(void **state)
{
    (void)state;
    char text[(FAULTS_MAX + 1) * 16] = "";
    for (int i = 0; i < FAULTS_MAX; i++) {
        strcat(text, "bridge 503\n");
    }
    reads(text);
    assert_int_equal(parsed.count, FAULTS_MAX);
    strcat(text, "bridge 503\n");
    assert_int_equal(faults_parse("faults", "bridge", text, &parsed, &err).class, SYNC_CLASS_FATAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_lines_of_the_issue_are_understood),
        cmocka_unit_test(each_subject_has_its_own_lines_and_words),
        cmocka_unit_test(when_may_stand_in_either_order_and_alone),
        cmocka_unit_test(a_code_may_hit_a_share_of_the_calls),
        cmocka_unit_test(blank_lines_comments_and_other_subjects_are_passed_over),
        cmocka_unit_test(wrong_lines_are_refused_with_their_place),
        cmocka_unit_test(one_file_holds_so_many_faults_and_no_more),
    };
    return cmocka_run_group_tests_name("bridge_faults", tests, NULL, NULL);
}
