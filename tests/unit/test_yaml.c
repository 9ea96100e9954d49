/*
 * Shows which YAML is taken, that every node knows its place, and which texts are refused with
 * file, line and column. How: texts in memory; every way to cut a good text is tried, so that no
 * prefix hangs or crashes.
 */
#include "runtime/yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct sync_yaml *parse(const char *text)
{
    struct sync_yaml *yaml = NULL;
    struct sync_error err;
    if (!sync_is_ok(sync_yaml_parse("x.yaml", text, strlen(text), &yaml, &err))) {
        fail_msg("%s", err.text);
    }
    return yaml;
}

static void refused(const char *text, size_t size, const char *expected)
{
    struct sync_yaml *yaml = NULL;
    struct sync_error err = {0};
    sync_status status = sync_yaml_parse("x.yaml", text, size, &yaml, &err);
    assert_int_equal(status.class, SYNC_CLASS_FATAL);
    assert_int_equal(err.code, SYNC_CODE_SYNTAX);
    assert_null(yaml);
    if (strstr(err.text, expected) == NULL) {
        fail_msg("expected \"%s\" in \"%s\"", expected, err.text);
    }
}

static void refused_text(const char *text, const char *expected)
{
    refused(text, strlen(text), expected);
}

static void scalars_maps_and_lists_are_read_with_their_types(void **state)
{
    (void)state;
    struct sync_yaml *yaml = parse("a: 1\nb: \"2\"\nc: [x, {y: z}]\nd:\ne: ~\nf: \"\"\n");
    const struct sync_yaml_node *root = sync_yaml_root(yaml);
    assert_int_equal(sync_yaml_type_of(root), SYNC_YAML_MAP);
    assert_int_equal(sync_yaml_count(root), 6);
    assert_string_equal(sync_yaml_text(sync_yaml_get(root, "a")), "1");
    assert_false(sync_yaml_is_quoted(sync_yaml_get(root, "a")));
    assert_true(sync_yaml_is_quoted(sync_yaml_get(root, "b")));
    assert_int_equal(sync_yaml_type_of(sync_yaml_get(root, "c")), SYNC_YAML_LIST);
    const struct sync_yaml_node *inner = sync_yaml_at(sync_yaml_get(root, "c"), 1, NULL);
    assert_string_equal(sync_yaml_text(sync_yaml_get(inner, "y")), "z");
    assert_int_equal(sync_yaml_type_of(sync_yaml_get(root, "d")), SYNC_YAML_NULL);
    assert_int_equal(sync_yaml_type_of(sync_yaml_get(root, "e")), SYNC_YAML_NULL);
    assert_int_equal(sync_yaml_type_of(sync_yaml_get(root, "f")), SYNC_YAML_SCALAR);
    assert_null(sync_yaml_get(root, "g"));
    assert_null(sync_yaml_get(NULL, "g"));
    sync_yaml_free(&yaml);
    assert_null(yaml);
}

static void every_node_and_key_knows_its_place(void **state)
{
    (void)state;
    struct sync_yaml *yaml = parse("a: 1\nb:\n  c: [1, 22]\n  d:\n");
    int line = 0, column = 0;
    const struct sync_yaml_node *b = sync_yaml_get(sync_yaml_root(yaml), "b");
    sync_yaml_where(sync_yaml_at(sync_yaml_get(b, "c"), 1, NULL), &line, &column);
    assert_int_equal(line, 3);
    assert_int_equal(column, 10);
    sync_yaml_where_key(b, 0, &line, &column);
    assert_int_equal(line, 3);
    assert_int_equal(column, 3);
    sync_yaml_where(sync_yaml_get(b, "d"), &line, &column); /* left out: stands at its key */
    assert_int_equal(line, 4);
    assert_int_equal(column, 3);
    sync_yaml_free(&yaml);
}

static void an_excerpt_is_the_line_and_is_cut(void **state)
{
    (void)state;
    char text[16];
    struct sync_yaml *yaml = parse("a: 1\r\nlonger_key: 2\n");
    sync_yaml_excerpt(yaml, 1, text, sizeof text);
    assert_string_equal(text, "a: 1");
    sync_yaml_excerpt(yaml, 2, text, 7);
    assert_string_equal(text, "longer");
    sync_yaml_excerpt(yaml, 9, text, sizeof text);
    assert_string_equal(text, "");
    sync_yaml_free(&yaml);
}

static void an_empty_text_is_one_null_node(void **state)
{
    (void)state;
    struct sync_yaml *yaml = parse("");
    assert_int_equal(sync_yaml_type_of(sync_yaml_root(yaml)), SYNC_YAML_NULL);
    sync_yaml_free(&yaml);
    yaml = parse("# only a comment\n");
    assert_int_equal(sync_yaml_type_of(sync_yaml_root(yaml)), SYNC_YAML_NULL);
    sync_yaml_free(&yaml);
}

static void malformed_text_is_refused_with_its_place(void **state)
{
    (void)state;
    refused_text("a: [1, 2", "x.yaml:2:1:");
    refused_text("a: b: c", "x.yaml:1:5:");
    refused_text("a: \"open\n", "x.yaml:1:");
    refused_text("a:\n\tb: 1", "x.yaml:2:1:");
    refused_text("a: @x", "x.yaml:1:4:");
    refused_text("{a: 1}\ngarbage", "x.yaml:2:1:");
    refused_text("b: ]", "x.yaml:1:4:");
}

static void a_key_that_stands_twice_is_refused(void **state)
{
    (void)state;
    refused_text("a: 1\nb: 2\na: 3\n", "x.yaml:3:1: the key \"a\" stands twice");
    refused_text("a: {b: 1, b: 2}", "x.yaml:1:11:");
}

static void anchors_aliases_and_tags_are_refused(void **state)
{
    (void)state;
    refused_text("a: &x 1", "anchors");
    refused_text("a: &x [1]", "anchors");
    refused_text("a: *x", "aliases");
    refused_text("a: !!int 1", "tags");
    refused_text("a: !foo {b: 1}", "tags");
}

/* libfyaml reads what is refused here as other text, and loses memory when it is long. */
static void doubled_quotes_that_touch_are_refused(void **state)
{
    (void)state;
    struct sync_yaml *yaml =
        parse("\xef\xbb\xbfk: ['it''s ''it''', '''', '''x''']\nl: \"x''''y\"\n");
    const struct sync_yaml_node *root = sync_yaml_root(yaml);
    const struct sync_yaml_node *list = sync_yaml_get(root, "k");
    assert_string_equal(sync_yaml_text(sync_yaml_at(list, 0, NULL)), "it's 'it'");
    assert_string_equal(sync_yaml_text(sync_yaml_at(list, 1, NULL)), "'");
    assert_string_equal(sync_yaml_text(sync_yaml_at(list, 2, NULL)), "'x'");
    assert_string_equal(sync_yaml_text(sync_yaml_get(root, "l")), "x''''y");
    sync_yaml_free(&yaml);
    refused_text("a: 'b''''c'\n", "x.yaml:1:5: doubled single quotes that touch");
    refused_text("a: ''''''\n", "x.yaml:1:5: doubled single quotes that touch");
    refused_text("a:\n- 'x\n  y''''\n  '\n", "x.yaml:2:4: doubled single quotes that touch");
    refused_text("'k''''': 1\n", "x.yaml:1:2: doubled single quotes that touch");
    refused_text("'\xc3\xa6''''''''''''''''''''': 1\n",
                 "x.yaml:1:2: doubled single quotes that touch");
}

/* A continuation is read as other text when blank lines or an escaped backslash are near. */
static void a_backslash_at_the_end_of_a_quoted_line_is_refused(void **state)
{
    (void)state;
    struct sync_yaml *yaml = parse("k: \"a\\\\ \\n\n  b\"\nl: 'a\\\n  b'\nm: |\n  a\\\n  b\n");
    const struct sync_yaml_node *root = sync_yaml_root(yaml);
    assert_string_equal(sync_yaml_text(sync_yaml_get(root, "k")), "a\\ \n b");
    assert_string_equal(sync_yaml_text(sync_yaml_get(root, "l")), "a\\ b");
    assert_string_equal(sync_yaml_text(sync_yaml_get(root, "m")), "a\\\nb\n");
    sync_yaml_free(&yaml);
    refused_text("a: \"b\\\n  c\"\n", "x.yaml:1:5: a backslash at the end of a line");
    refused_text("a: \"b\\\\\\\n  c\"\n", "x.yaml:1:5: a backslash at the end of a line");
    refused_text("a: \"b\\ \t\r\n  c\"\n", "x.yaml:1:5: a backslash at the end of a line");
    refused_text("\"\\\n\\\n\\\n\"", "x.yaml:1:2: a backslash at the end of a line");
}

static void a_second_document_is_refused(void **state)
{
    (void)state;
    refused_text("a: 1\n---\nb: 2\n", "x.yaml:2:1: a second document");
}

static void keys_that_are_no_text_are_refused(void **state)
{
    (void)state;
    refused_text("? [a]\n: 1", "a key must be plain text");
    refused_text("\"\": 1", "a key is empty");
    refused_text("~: 1", "a key is empty");
}

static void bytes_that_are_not_utf8_are_refused(void **state)
{
    (void)state;
    refused("a: \xff\xfex", 6, "x.yaml:1:4: a byte is not UTF-8 text");
    refused("\xff\xfe", 2, "x.yaml:1:1:");
    refused("a: x\xc3", 5, "x.yaml:1:5:");
    refused("a: 1\nb: \xed\xa0\x80", 11, "x.yaml:2:4:"); /* surrogate */
    refused("a: \xc0\x80", 5, "x.yaml:1:4:");            /* overlong */
    refused("a: \xf4\x90\x80\x80", 7, "x.yaml:1:4:");    /* beyond Unicode */
}

static void control_characters_are_refused(void **state)
{
    (void)state;
    refused_text("a: \"x\\0y\"", "control characters");
    refused_text("a: \"x\\u0007y\"", "control characters");
    refused("a: x\0y", 6, "x.yaml:1:");
}

static void too_deep_and_too_wide_is_refused(void **state)
{
    (void)state;
    char deep[256];
    memset(deep, '[', 100);
    deep[100] = '\0';
    refused_text(deep, "nested too deeply");
    size_t size = 600 * 8;
    char *wide = malloc(size);
    size_t used = 0;
    for (int i = 0; i < 600; i++) {
        used += (size_t)snprintf(wide + used, size - used, "k%d: 1\n", i);
    }
    refused(wide, used, "too many entries");
    free(wide);
}

static void a_file_that_cannot_be_read_says_why(void **state)
{
    (void)state;
    struct sync_yaml *yaml = NULL;
    struct sync_error err;
    assert_int_equal(sync_yaml_load("/nonexistent/x.yaml", &yaml, &err).class, SYNC_CLASS_FATAL);
    assert_int_equal(err.code, SYNC_CODE_FILE);
    assert_string_equal(err.text, "read /nonexistent/x.yaml: No such file or directory");
    assert_int_equal(sync_yaml_load("/", &yaml, &err).class, SYNC_CLASS_FATAL);
    assert_int_equal(err.code, SYNC_CODE_FILE);
}

static void a_file_above_one_mebibyte_is_refused(void **state)
{
    (void)state;
    char path[] = "test_yaml_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, 1024 * 1024 + 1), 0);
    struct sync_yaml *yaml = NULL;
    struct sync_error err;
    assert_int_equal(sync_yaml_load(path, &yaml, &err).class, SYNC_CLASS_FATAL);
    assert_non_null(strstr(err.text, "larger than 1 MiB"));
    (void)close(fd);
    (void)unlink(path);
}

static void every_prefix_of_a_good_text_ends(void **state)
{
    (void)state;
    static const char text[] = "a: 1\nb:\n  - {c: [1, \"x\"], d: 'y'}\n  - |\n    text\ne: å€😀\n";
    for (size_t size = 0; size < sizeof text; size++) {
        struct sync_yaml *yaml = NULL;
        struct sync_error err;
        if (sync_is_ok(sync_yaml_parse("x.yaml", text, size, &yaml, &err))) {
            sync_yaml_free(&yaml);
        } else {
            assert_memory_equal(err.text, "x.yaml:", 7);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalars_maps_and_lists_are_read_with_their_types),
        cmocka_unit_test(every_node_and_key_knows_its_place),
        cmocka_unit_test(an_excerpt_is_the_line_and_is_cut),
        cmocka_unit_test(an_empty_text_is_one_null_node),
        cmocka_unit_test(malformed_text_is_refused_with_its_place),
        cmocka_unit_test(a_key_that_stands_twice_is_refused),
        cmocka_unit_test(anchors_aliases_and_tags_are_refused),
        cmocka_unit_test(doubled_quotes_that_touch_are_refused),
        cmocka_unit_test(a_backslash_at_the_end_of_a_quoted_line_is_refused),
        cmocka_unit_test(a_second_document_is_refused),
        cmocka_unit_test(keys_that_are_no_text_are_refused),
        cmocka_unit_test(bytes_that_are_not_utf8_are_refused),
        cmocka_unit_test(control_characters_are_refused),
        cmocka_unit_test(too_deep_and_too_wide_is_refused),
        cmocka_unit_test(a_file_that_cannot_be_read_says_why),
        cmocka_unit_test(a_file_above_one_mebibyte_is_refused),
        cmocka_unit_test(every_prefix_of_a_good_text_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
