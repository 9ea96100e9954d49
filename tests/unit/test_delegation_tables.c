/*
 * Shows that the shipped data files are read whole and agree with each other, and that a file which
 * is spoilt in one place stops the start with its name and row: with copies in a directory of ours.
 */
#include "../../connectors/altinn3/delegation_tables.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define DATA SYNC_SOURCE_DIR "/data"

static char dir[] = "/tmp/delegation-tables-XXXXXX";
static const char *const names[] = {"rights.csv", "role-packages.csv", "a2-roles.csv"};

static void copy(const char *name, const char *from, const char *to)
{
    char path[256], line[1024];
    (void)snprintf(path, sizeof path, "%s/%s", DATA, name);
    FILE *in = fopen(path, "re");
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *out = fopen(path, "we");
    assert_true(in != NULL && out != NULL);
    bool done = from == NULL;
    while (fgets(line, sizeof line, in) != NULL) {
        char *at = done ? NULL : strstr(line, from);
        if (at == NULL) {
            (void)fputs(line, out);
            continue;
        }
        (void)fprintf(out, "%.*s%s%s", (int)(at - line), line, to, at + strlen(from));
        done = true;
    }
    assert_true(done);
    (void)fclose(in);
    (void)fclose(out);
}

static void refused(const char *name, const char *from, const char *to, const char *text)
{
    struct delegation_tables *tables = NULL;
    struct sync_error err = {.text = ""};
    for (size_t i = 0; i < 3; i++) {
        bool spoil = strcmp(names[i], name) == 0;
        copy(names[i], spoil ? from : NULL, to);
    }
    assert_int_equal(delegation_tables_new(dir, &tables, &err).class, SYNC_CLASS_FATAL);
    assert_null(tables);
    if (strstr(err.text, text) == NULL) {
        fail_msg("%s", err.text);
    }
}

static void the_shipped_files_are_read_whole(void **state)
{
    (void)state;
    struct delegation_tables *tables = NULL;
    struct sync_error err = {.text = ""};
    if (!sync_is_ok(delegation_tables_new(DATA, &tables, &err))) {
        fail_msg("%s", err.text);
    }
    assert_int_equal(tables->right_count, 14);
    assert_int_equal(tables->package_count, 17);
    assert_int_equal(tables->role_count, 38);
    assert_string_equal(tables->packages[5].role, "a0282");
    assert_int_equal(tables->packages[5].granted_from_us, 1614553200LL * 1000000);
    assert_string_equal(tables->packages[0].client_role, "revisor");
    assert_int_equal(tables->packages[7].condition, DELEGATION_NOT_PERSON);
    assert_string_equal(tables->roles[2].er_roles, " revi ");
    assert_int_equal(tables->skew_us, 2000000);
    delegation_tables_free(&tables);
    delegation_tables_free(&tables);
}

static void a_spoilt_file_is_refused_by_name_and_row(void **state)
{
    (void)state;
    refused("rights.csv", "a2_right", "right", "rights.csv, row 0");
    refused("rights.csv", "message,sign", "messages,sign", "rights.csv, row 8");
    refused("rights.csv", "yes", "maybe", "rights.csv, row 1");
    refused("rights.csv", "correspondence,Write", "correspondence,Read", "rights.csv, row 2");
    refused("rights.csv", ",assumed", "", "rights.csv, row 7");
    refused("rights.csv", "read,yes,documented", "read,no,documented", "rights.csv, row 1");
    refused("role-packages.csv", "client-role:", "client:", "role-packages.csv, row 1");
    refused("role-packages.csv", "2021-03-01T", "2021-13-01T", "role-packages.csv, row 6");
    refused("role-packages.csv", "KLADM", "KLADN", "role-packages.csv, row 17");
    refused("role-packages.csv", "not-person", "nobody", "role-packages.csv, row 8");
    refused("a2-roles.csv", "c497b499", "c497b49", "a2-roles.csv, row 1");
    refused("a2-roles.csv", "\"Patent", "Pat\"ent", "a2-roles.csv, row");
}

static void a_missing_file_is_named(void **state)
{
    (void)state;
    struct delegation_tables *tables = NULL;
    struct sync_error err = {.text = ""};
    (void)delegation_tables_new("/nowhere", &tables, &err);
    assert_int_equal(err.code, SYNC_CODE_FILE);
    assert_non_null(strstr(err.text, "/nowhere/rights.csv"));
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        char path[256];
        (void)snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(dir);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_shipped_files_are_read_whole),
        cmocka_unit_test(a_spoilt_file_is_refused_by_name_and_row),
        cmocka_unit_test(a_missing_file_is_named),
    };
    return mkdtemp(dir) == NULL ? 1 : cmocka_run_group_tests(tests, NULL, tear_down);
}
