/*
 * Shows how a command line is read: global flags anywhere, the verb with the most words, slips
 * answered with the nearest name, and the exit code of every kind of error. How: the parse function
 * with the real table.
 */
#include "cli/cli.h"
#include "runtime/suggest.h"
#include "runtime/units.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static struct sync_cli cli; /* large */
static struct sync_cli_parsed parsed;
static struct sync_error err;
static char storage[32][128], *words[32];

/* Splits a line at blanks, as the shell would. */
static sync_status parse(const char *line)
{
    int count = 0;
    (void)strcpy(storage[count], "altinn-sync");
    words[count] = storage[count];
    count++;
    for (const char *at = line; *at != '\0';) {
        size_t size = strcspn(at, " ");
        memcpy(storage[count], at, size);
        storage[count][size] = '\0';
        words[count] = storage[count];
        count++;
        at += size;
        at += strspn(at, " ");
    }
    memset(&cli, 0, sizeof cli);
    memset(&err, 0, sizeof err);
    return sync_cli_parse(count, words, &cli, &parsed, &err);
}

static void taken(const char *line, const char *verb)
{
    if (!sync_is_ok(parse(line))) {
        fail_msg("%s: %s", line, err.text);
    }
    assert_int_equal(parsed.want, SYNC_CLI_RUN);
    assert_string_equal(parsed.command->words, verb);
}

static void refused(const char *line, const char *expected)
{
    assert_int_equal(parse(line).class, SYNC_CLASS_FATAL);
    assert_int_equal(err.code, SYNC_CODE_USAGE);
    assert_int_equal(sync_cli_exit_code(&err), SYNC_EXIT_USAGE);
    if (strstr(err.text, expected) == NULL) {
        fail_msg("%s: expected \"%s\" in \"%s\"", line, expected, err.text);
    }
}

static void global_flags_are_taken_before_between_and_behind(void **state)
{
    (void)state;
    taken("-c a.yaml config -o json show --origin kafka -c b.yaml --timeout 5s -y", "config show");
    assert_int_equal(cli.sources.file_count, 2);
    assert_string_equal(cli.sources.files[0], "a.yaml");
    assert_string_equal(cli.sources.files[1], "b.yaml");
    assert_true(cli.json);
    assert_true(cli.yes);
    assert_int_equal(cli.timeout_ms, 5000);
    assert_int_equal(parsed.argc, 2);
    assert_string_equal(parsed.argv[0], "--origin");
    assert_string_equal(parsed.argv[1], "kafka");
}

static void a_flag_takes_its_value_in_every_spelling(void **state)
{
    (void)state;
    taken("version -ojson", "version");
    assert_true(cli.json);
    taken("version --output=json --timeout=PT2S --config=x", "version");
    assert_true(cli.json);
    assert_int_equal(cli.timeout_ms, 2000);
    assert_string_equal(cli.sources.files[0], "x");
    taken("version -X linger.ms=5 -Xclient.rack=a=b --dev -q --no-color", "version");
    assert_string_equal(cli.sources.properties[0], "linger.ms");
    assert_string_equal(cli.sources.properties[1], "5");
    assert_string_equal(cli.sources.properties[2], "client.rack");
    assert_string_equal(cli.sources.properties[3], "a=b");
    assert_null(cli.sources.properties[4]);
    assert_true(cli.sources.dev && cli.quiet && cli.no_color);
}

static void behind_two_dashes_nothing_is_a_global_flag(void **state)
{
    (void)state;
    taken("processors describe -- -q", "processors describe");
    assert_false(cli.quiet);
    assert_int_equal(parsed.argc, 2);
    assert_int_equal(sync_cli_arguments("processors describe", parsed.argc, parsed.argv, 1, 1), 0);
    assert_string_equal(parsed.argv[0], "-q");
}

static void defaults_are_a_table_and_ten_seconds(void **state)
{
    (void)state;
    taken("version", "version");
    assert_false(cli.json || cli.yes || cli.sources.dev);
    assert_int_equal(cli.timeout_ms, 10000);
}

static void the_verb_with_the_most_words_wins(void **state)
{
    (void)state;
    taken("capture init altinn3-status", "capture init");
    assert_int_equal(parsed.argc, 1);
    taken("capture altinn3-status", "capture");
    assert_string_equal(parsed.argv[0], "altinn3-status");
}

static void help_is_found_for_program_group_and_verb(void **state)
{
    (void)state;
    assert_true(sync_is_ok(parse("--help")));
    assert_int_equal(parsed.want, SYNC_CLI_HELP);
    assert_null(parsed.command);
    assert_string_equal(parsed.prefix, "");
    assert_true(sync_is_ok(parse("topics -h")));
    assert_string_equal(parsed.prefix, "topics");
    assert_true(sync_is_ok(parse("topics validate --help")));
    assert_string_equal(parsed.command->words, "topics validate");
    assert_true(sync_is_ok(parse("--version")));
    assert_int_equal(parsed.want, SYNC_CLI_VERSION);
}

static void a_slip_in_a_verb_names_the_nearest(void **state)
{
    (void)state;
    refused("topcis validate", "did you mean \"topics validate\"?");
    refused("config shwo", "did you mean \"config show\"?");
    refused("statsu", "did you mean \"status\"?");
    refused("frobnicate", "\"altinn-sync help\" lists them");
    refused("topics", "topics validate");
    refused("topics frobnicate", "topics validate");
    refused("", "a verb is missing");
    refused("topcis --help", "did you mean \"topics\"?");
    refused("topcis", "did you mean \"topics\"?");
}

static void wrong_global_flags_are_refused(void **state)
{
    (void)state;
    refused("--tiemout 5s version", "did you mean --timeout?");
    refused("--zzzzzzzzzzz", "there is no flag --zzzzzzzzzzz");
    refused("version -c", "-c needs a value");
    refused("version -o xml", "it takes table or json");
    refused("version -X novalue", "-X name=value");
    refused("version -X =v", "-X name=value");
    refused("version --timeout 5", "30s, 500ms or PT30S");
    refused("version --timeout 0s", "no duration");
    refused("version --timeout 2d", "no duration");
    refused("version -c 1 -c 2 -c 3 -c 4 -c 5 -c 6 -c 7 -c 8 -c 9", "one file too many");
}

static void a_verb_takes_its_own_flags_and_refuses_others(void **state)
{
    (void)state;
    const char *value = NULL;
    taken("topics validate -f a -f=b", "topics validate");
    assert_true(sync_cli_flag(&parsed.argc, parsed.argv, "-f", &value));
    assert_string_equal(value, "a");
    assert_true(sync_cli_flag(&parsed.argc, parsed.argv, "-f", &value));
    assert_string_equal(value, "b");
    assert_false(sync_cli_flag(&parsed.argc, parsed.argv, "-f", &value));
    assert_int_equal(parsed.argc, 0);
    taken("topics validate -f", "topics validate");
    assert_true(sync_cli_flag(&parsed.argc, parsed.argv, "-f", &value));
    assert_null(value);
    taken("config show --origin", "config show");
    assert_true(sync_cli_switch(&parsed.argc, parsed.argv, "--origin"));
    assert_false(sync_cli_switch(&parsed.argc, parsed.argv, "--origin"));
    taken("config show --orign", "config show");
    assert_int_equal(sync_cli_arguments("config show", parsed.argc, parsed.argv, 0, 1),
                     SYNC_EXIT_USAGE);
    taken("config show a b", "config show");
    assert_int_equal(sync_cli_arguments("config show", parsed.argc, parsed.argv, 0, 1),
                     SYNC_EXIT_USAGE);
    taken("processors describe", "processors describe");
    assert_int_equal(sync_cli_arguments("processors describe", parsed.argc, parsed.argv, 1, 1),
                     SYNC_EXIT_USAGE);
}

static void every_kind_of_error_has_its_exit_code(void **state)
{
    (void)state;
    static const struct {
        enum sync_code code;
        int exit, process;
    } cases[] = {{SYNC_CODE_USAGE, 2, 2},
                 {SYNC_CODE_CONFIG, 2, 2},
                 {SYNC_CODE_FILE, 2, 2},
                 {SYNC_CODE_SYNTAX, 2, 2},
                 {SYNC_CODE_UNKNOWN_KEY, 2, 2},
                 {SYNC_CODE_INSECURE, 2, 2},
                 {SYNC_CODE_NOT_FOUND, 4, 1},
                 {SYNC_CODE_REFUSED, 5, 1},
                 {SYNC_CODE_CLUSTER, 5, 1},
                 {SYNC_CODE_DB_UNREACHABLE, 7, 1},
                 {SYNC_CODE_KAFKA_UNREACHABLE, 7, 1},
                 {SYNC_CODE_TIMEOUT, 7, 1},
                 {SYNC_CODE_DB_REFUSED, 1, 1},
                 {SYNC_CODE_TOPIC_UNKNOWN, 1, 1},
                 {SYNC_CODE_INTERNAL, 1, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sync_error failure = {.code = cases[i].code, .text = "x"};
        assert_int_equal(sync_cli_exit_code(&failure), cases[i].exit);
        assert_int_equal(sync_cli_fail_process(&failure), cases[i].process);
    }
}

static void every_row_of_the_table_is_complete_and_fits(void **state)
{
    (void)state;
    for (size_t i = 0; i < sync_command_count; i++) {
        const struct sync_command *command = &sync_commands[i];
        assert_true(command->words[0] != '\0' && command->group[0] != '\0');
        assert_non_null(command->usage);
        assert_non_null(command->help);
        assert_non_null(command->run);
        assert_in_range(strlen(command->summary), 5, 56); /* 80 columns in the list */
        assert_true(strlen(command->words) <= 20);
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(sync_commands[j].words, command->words);
        }
        for (size_t j = i + 1; j < sync_command_count; j++) { /* groups stand together */
            if (strcmp(sync_commands[j].group, command->group) == 0) {
                assert_string_equal(sync_commands[i + 1].group, command->group);
            }
        }
    }
}

static void suggestions_are_near_or_none(void **state)
{
    (void)state;
    static const char *const names[] = {"status", "topics", "run"};
    assert_string_equal(sync_suggest("topcis", names, 3), "topics");
    assert_string_equal(sync_suggest("statu", names, 3), "status");
    assert_null(sync_suggest("elephant", names, 3));
    assert_null(sync_suggest("", names, 3));
    char longest[200];
    memset(longest, 'a', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    assert_null(sync_suggest(longest, names, 3));
}

static void units_are_read_strictly(void **state)
{
    (void)state;
    int64_t value = 0;
    assert_true(sync_units_ms("500ms", &value) && value == 500);
    assert_true(sync_units_ms("5m", &value) && value == 300000);
    assert_true(sync_units_ms("14d", &value) && value == 14LL * 86400000);
    assert_true(sync_units_ms("P14D", &value) && value == 14LL * 86400000);
    assert_true(sync_units_bytes("2GiB", &value) && value == 2LL << 30);
    assert_true(sync_units_number("-12", &value) && value == -12);
    static const char *const bad_ms[] = {"",
                                         "5",
                                         "s",
                                         "-5s",
                                         "5 s",
                                         "5S",
                                         "P",
                                         "PT",
                                         "99999999999999999999s",
                                         "999999999999999999d"};
    static const char *const bad_bytes[] = {
        "", "MiB", "1MB", "1kib", "-1", "1.5MiB", "9999999999999999GiB"};
    static const char *const bad_numbers[] = {"",   "-", "1x", "0x1", "99999999999999999999",
                                              " 1", "+1"};
    for (size_t i = 0; i < sizeof bad_ms / sizeof bad_ms[0]; i++) {
        assert_false(sync_units_ms(bad_ms[i], &value));
    }
    for (size_t i = 0; i < sizeof bad_bytes / sizeof bad_bytes[0]; i++) {
        assert_false(sync_units_bytes(bad_bytes[i], &value));
    }
    for (size_t i = 0; i < sizeof bad_numbers / sizeof bad_numbers[0]; i++) {
        assert_false(sync_units_number(bad_numbers[i], &value));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(global_flags_are_taken_before_between_and_behind),
        cmocka_unit_test(a_flag_takes_its_value_in_every_spelling),
        cmocka_unit_test(behind_two_dashes_nothing_is_a_global_flag),
        cmocka_unit_test(defaults_are_a_table_and_ten_seconds),
        cmocka_unit_test(the_verb_with_the_most_words_wins),
        cmocka_unit_test(help_is_found_for_program_group_and_verb),
        cmocka_unit_test(a_slip_in_a_verb_names_the_nearest),
        cmocka_unit_test(wrong_global_flags_are_refused),
        cmocka_unit_test(a_verb_takes_its_own_flags_and_refuses_others),
        cmocka_unit_test(every_kind_of_error_has_its_exit_code),
        cmocka_unit_test(every_row_of_the_table_is_complete_and_fits),
        cmocka_unit_test(suggestions_are_near_or_none),
        cmocka_unit_test(units_are_read_strictly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
