/*
 * parked list and parked show: what was set aside, and why. Bytes of a record hold ids of persons,
 * so they are printed only when asked for. Not here: redrive, discard and skip, which come later.
 */
#include "waiting.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

static const struct sync_statement list_statement = {
    "cli_parked",
    "SELECT scope, topic, partition, record_offset, entity_key, rule, code, field, since, state, "
    "attempts, missing_kind || ' ' || missing_id, part"
    " FROM sync.parked WHERE ($1::text IS NULL OR scope = $1) AND ($2::text IS NULL OR rule = $2)"
    " AND ($4::bool OR state = 0)"
    " ORDER BY since, scope, topic, partition, record_offset LIMIT $3"};

/* Two statements, because a viewer has no right to the bytes. */
#define SHOW(record)                                                                               \
    "SELECT scope, topic, partition, record_offset, entity_key, rule, code, field, since, state, " \
    "attempts, reason, appended_at, " record ", sealed, digest, part,"                             \
    " missing_kind || ' ' || missing_id"                                                           \
    " FROM sync.parked WHERE topic = $1 AND partition = $2 AND record_offset = $3"                 \
    " AND ($4::text IS NULL OR scope = $4) ORDER BY scope"
static const struct sync_statement show_statement = {"cli_parked_one", SHOW("NULL::bytea")};
static const struct sync_statement bytes_statement = {"cli_parked_bytes", SHOW("record")};
#undef SHOW

static void put_state(const struct sync_result *result, int row, int column,
                      char ret_cell[static WAITING_CELL])
{
    static const char *const states[] = {"open", "decided again", "discarded", "skipped"};
    int32_t state = sync_result_int4(result, row, column);
    (void)snprintf(ret_cell, WAITING_CELL, "%s",
                   state >= 0 && state < 4 ? states[state] : "unknown");
}

static void put_what(const struct sync_result *result, int row, int column,
                     char ret_cell[static WAITING_CELL])
{
    (void)snprintf(ret_cell, WAITING_CELL, "%s",
                   sync_result_bool(result, row, column) ? "part" : "record");
}

/* List
 * -----------------------------------------------------------------------------------------------
 */

static const struct waiting_column columns[] = {
    {"SCOPE", 0, waiting_text},
    {"TOPIC", 1, waiting_text},
    {"#PARTITION", 2, waiting_number},
    {"#OFFSET", 3, waiting_number},
    {"KEY", 4, waiting_key},
    {"RULE", 5, waiting_text},
    {"CODE", 6, waiting_text},
    {"FIELD", 7, waiting_text},
    {"WHAT", 12, put_what},
    {"WAITS_FOR", 11, waiting_missing},
    {"SINCE", 8, waiting_time},
    {"STATE", 9, put_state},
    {"#ATTEMPTS", 10, waiting_number},
    {NULL, 0, NULL},
};

int sync_cli_parked_list(struct sync_cli *cli, int argc, char **argv)
{
    static const struct waiting_list list = {"parked list", &list_statement, columns, true};
    return waiting_list_print(cli, &list, argc, argv);
}

/* Show
 * -----------------------------------------------------------------------------------------------
 */

static char *hex_of(struct sync_bytes bytes)
{
    static const char digits[] = "0123456789abcdef";
    char *text = malloc(2 * bytes.size + 1);
    SYNC_ASSERT(text != NULL);
    for (size_t i = 0; i < bytes.size; i++) {
        text[2 * i] = digits[bytes.data[i] >> 4];
        text[2 * i + 1] = digits[bytes.data[i] & 15];
    }
    text[2 * bytes.size] = '\0';
    return text;
}

struct shown {
    bool json;
    size_t count; /* rows so far */
    struct sync_json_writer writer;
};

static void put(struct shown *shown, const char *name, const char *value)
{
    if (shown->json) {
        sync_json_put_text(&shown->writer, name, value[0] == '\0' ? NULL : value);
        return;
    }
    (void)printf("%-11s %s\n", name, value[0] == '\0' ? "-" : value);
}

/* The bytes when asked, or why there are none. */
static void put_record(struct shown *shown, const struct sync_result *result, int row, bool bytes)
{
    char size[40];
    if (!bytes) {
        return;
    }
    if (sync_result_is_null(result, row, 13)) {
        put(shown, "record", "not kept; its topic has it as long as it retains it");
        return;
    }
    struct sync_bytes record = sync_result_bytes(result, row, 13);
    bool sealed = sync_result_bool(result, row, 14);
    (void)snprintf(size, sizeof size, "%zu bytes%s", record.size, sealed ? ", sealed" : "");
    put(shown, "record", size);
    char *hex = hex_of(record);
    put(shown, "bytes", hex);
    free(hex);
}

static void put_row(struct shown *shown, const struct sync_result *result, int row, bool bytes)
{
    static const char *const names[] = {"scope", "topic", "partition", "offset", "key",
                                        "rule",  "code",  "field",     "parked"};
    char cell[WAITING_CELL];
    for (int i = 0; i < 9; i++) {
        if (i == 2 || i == 3) {
            waiting_number(result, row, i, cell);
        } else if (i == 4) {
            waiting_key(result, row, i, cell);
        } else if (i == 8) {
            waiting_time(result, row, i, cell);
        } else {
            waiting_text(result, row, i, cell);
        }
        put(shown, names[i], cell);
    }
    put_state(result, row, 9, cell);
    put(shown, "state", cell);
    waiting_number(result, row, 10, cell);
    put(shown, "attempts", cell);
    struct sync_bytes reason = sync_result_bytes(result, row, 11);
    char text[sizeof((struct sync_error *)NULL)->text];
    (void)snprintf(text, sizeof text, "%.*s", (int)reason.size, (const char *)reason.data);
    put(shown, "reason", text);
    put_what(result, row, 16, cell);
    put(shown, "what", cell);
    waiting_missing(result, row, 17, cell);
    put(shown, "waits_for", cell);
    waiting_time(result, row, 12, cell);
    put(shown, "appended", cell);
    char *digest = hex_of(sync_result_bytes(result, row, 15));
    put(shown, "digest", digest);
    free(digest);
    put_record(shown, result, row, bytes);
}

static bool parse_position(const char *partition, const char *offset, int32_t *ret_partition,
                           int64_t *ret_offset)
{
    char *end = NULL, *offset_end = NULL;
    errno = 0;
    long long number = strtoll(partition, &end, 10);
    *ret_offset = strtoll(offset, &offset_end, 10);
    *ret_partition = (int32_t)number;
    return errno == 0 && *end == '\0' && *offset_end == '\0' && number >= 0 &&
           number <= INT32_MAX && *ret_offset >= 0 && end != partition && offset_end != offset;
}

/* Which record, and what of it. */
struct question {
    const char *topic, *scope;
    int32_t partition;
    int64_t offset;
    bool bytes;
};

static int read_question(int *argc, char **argv, struct question *ret_question)
{
    struct question q = {.bytes = sync_cli_switch(argc, argv, "--bytes")};
    if (sync_cli_flag(argc, argv, "--scope", &q.scope) && !q.scope) {
        return sync_cli_usage("parked show", "--scope needs a value");
    }
    int wrong = sync_cli_arguments("parked show", *argc, argv, 3, 3);
    if (wrong != 0) {
        return wrong;
    }
    q.topic = argv[0];
    if (!parse_position(argv[1], argv[2], &q.partition, &q.offset)) {
        return sync_cli_usage("parked show", "PARTITION and OFFSET are numbers from 0 on");
    }
    *ret_question = q;
    return 0;
}

/* Puts the rows of one home; a topic is read in one home, so mostly one has any. */
static sync_status show_home(const struct sync_cli *cli, const struct question *q,
                             const struct sync_home *home, struct shown *shown,
                             struct sync_error *err)
{
    WAITING waiting = {0};
    SYNC_RESULT result = {0};
    sync_status status = waiting_begin(cli, home, &waiting, err);
    if (sync_is_ok(status)) {
        sync_params_text(&waiting.params, q->topic);
        sync_params_int4(&waiting.params, q->partition);
        sync_params_int8(&waiting.params, q->offset);
        sync_params_text(&waiting.params, q->scope);
        status = sync_db_exec(waiting.db, q->bytes ? &bytes_statement : &show_statement,
                              &waiting.params, &result, err);
    }
    for (int row = 0; sync_is_ok(status) && row < result.rows; row++) {
        if (shown->json) {
            sync_json_open(&shown->writer, NULL, '{');
        } else if (shown->count > 0) {
            (void)printf("\n");
        }
        put_row(shown, &result, row, q->bytes);
        if (shown->json) {
            sync_json_close(&shown->writer, '}');
        }
        shown->count++;
    }
    return status;
}

static void end_shown(struct shown *shown)
{
    if (shown->json) {
        sync_json_close(&shown->writer, ']');
        char *text = sync_json_writer_take(&shown->writer);
        if (shown->count > 0) {
            (void)printf("%s\n", text ? text : "[]");
        }
        free(text);
    }
}

int sync_cli_parked_show(struct sync_cli *cli, int argc, char **argv)
{
    struct question q = {.topic = NULL};
    struct homes homes;
    struct shown shown = {.json = cli->json};
    int wrong = homes_take(cli, "parked show", &argc, argv, &homes);
    wrong = wrong == 0 ? read_question(&argc, argv, &q) : wrong;
    if (wrong != 0) {
        return wrong;
    }
    if (shown.json) {
        sync_json_writer_init(&shown.writer);
        sync_json_open(&shown.writer, NULL, '[');
    }
    int code = SYNC_EXIT_OK;
    struct sync_error err = {0};
    for (size_t i = 0; i < homes.count; i++) {
        if (!sync_is_ok(show_home(cli, &q, &homes.items[i], &shown, &err))) {
            code = homes_fail(&homes, &homes.items[i], &err);
        }
    }
    end_shown(&shown);
    if (code == SYNC_EXIT_OK && shown.count == 0) {
        (void)sync_fail(&err, SYNC_CLASS_FATAL, SYNC_CODE_NOT_FOUND,
                        "show a parked record: none at %s, partition %d, offset %" PRId64, q.topic,
                        (int)q.partition, q.offset);
        return sync_cli_fail(&err);
    }
    return code;
}
