/*
 * The capture "altinn2-delegation": everything that Altinn 2 says about delegations, by the calls
 * that it makes and by the feeds that it offers. Here its calls, start and end. Not here: listening
 * and producing (receiver.c), what a call becomes (delegation_make.c).
 */
#include "delegation_parts.h"

#include "../altinn3/delegation_tables.h"
#include "delegation_reader.h"
#include "fields.h"

#include <runtime/home.h>
#include <stdio.h>
#include <stdlib.h>

#define SERVICE(call)   "/accessmanagement/api/v1/delegations/" call
#define MESSAGE(call)   "/accessmanagement/api/v1/internal-a2/instance/" call
#define EXPORT_BEGIN    "export:begin" /* no path of a request begins like this */
#define EXPORT_END      "export:end"
#define WATERMARKS      "sync.delegation-watermark.v1" /* no route reads it: the gate comes later */
#define POSITION_DIGITS 18                             /* of the position in a path: no overflow */

static const struct receiver_call calls[] = {
    {SERVICE("addrules"), delegation_call_parse_add},
    {SERVICE("deleterules"), delegation_call_parse_delete},
    {SERVICE("deletepolicy"), delegation_call_parse_clear},
    {MESSAGE("delegation"), delegation_call_parse_message},
    {MESSAGE("revoke"), delegation_call_parse_unmessage},
    {EXPORT_BEGIN, delegation_call_parse_begin},
    {EXPORT_END, delegation_call_parse_end},
};

/* "<digits>/…": the position, and what follows it with its slash; NULL when there is none. */
static const char *read_position(const char *text, struct receiver_place *ret_place)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > POSITION_DIGITS || text[digits] != '/') {
        return NULL;
    }
    ret_place->snapshot_pos = strtoll(text, NULL, 10);
    ret_place->has_position = true;
    return text + digits;
}

/* /<prefix><snapshot>/begin, /<prefix><snapshot>/<position>/end or …/<call of the service level> */
static const char *locate(void *part, const char *path, struct receiver_place *ret_place)
{
    static const char service[] = SERVICE("");
    const struct delegation_capture *capture = part;
    const char *prefix = capture->shell->config->capture_export_path_prefix;
    size_t size = strlen(prefix);
    if (path[0] != '/') {
        return ""; /* not one of our own names */
    }
    if (size == 0 || strncmp(path + 1, prefix, size) != 0) {
        return path;
    }
    const char *rest = path + 1 + size;
    ret_place->is_export = true;
    if (strlen(rest) < SYNC_UUID_TEXT + 2 || rest[SYNC_UUID_TEXT] != '/' ||
        !sync_uuid_parse((struct sync_bytes){(const uint8_t *)rest, SYNC_UUID_TEXT},
                         &ret_place->snapshot_id) ||
        sync_uuid_is_zero(&ret_place->snapshot_id)) {
        return "";
    }
    rest += SYNC_UUID_TEXT + 1;
    if (strcmp(rest, "begin") == 0) {
        return EXPORT_BEGIN;
    }
    rest = read_position(rest, ret_place);
    if (rest && strcmp(rest, "/end") == 0) {
        return EXPORT_END;
    }
    return rest && strncmp(rest, service, sizeof service - 1) == 0 ? rest : "";
}

/* The names that a right may have when Altinn 2 deletes it: both columns of rights.csv. */
static void add_name(struct delegation_capture *capture, const char *name)
{
    for (size_t i = 0; i < capture->name_count; i++) {
        if (strcmp(capture->names[i], name) == 0) {
            return;
        }
    }
    if (capture->name_count < DELEGATION_NAMES_MAX) {
        (void)snprintf(capture->names[capture->name_count++], DELEGATION_RIGHT_SIZE, "%s", name);
    }
}

static sync_status read_names(struct delegation_capture *capture, struct sync_error *err)
{
    struct delegation_tables *tables = NULL;
    sync_status status = delegation_tables_new(capture->shell->config->data_dir, &tables, err);
    for (size_t i = 0; sync_is_ok(status) && i < tables->right_count; i++) {
        add_name(capture, tables->rights[i].a2_right);
        add_name(capture, tables->rights[i].action);
    }
    delegation_tables_free(&tables);
    return status;
}

/* "export/": it ends with the slash that parts it from the snapshot, and has no first one. */
static sync_status check_prefix(const struct sync_config *config, struct sync_error *err)
{
    const char *prefix = config->capture_export_path_prefix;
    size_t size = strlen(prefix);
    bool plain =
        strspn(prefix, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_/") == size;
    if (size == 0 || (plain && prefix[0] != '/' && prefix[size - 1] == '/')) {
        return SYNC_OK;
    }
    return sync_fail_field(err, SYNC_CLASS_FATAL, SYNC_CODE_CONFIG, "capture.export_path_prefix",
                           "read capture.export_path_prefix: it takes letters, digits, - and _ "
                           "between slashes, and ends with one, such as export/");
}

static sync_status read_own(struct delegation_capture *capture, struct sync_error *err)
{
    const struct sync_config *config = capture->shell->config;
    const char *party = config->capture_altinn2_own_party_uuid;
    capture->own.user_id = (int32_t)config->capture_altinn2_own_user_id;
    if (party[0] != '\0' && !fields_read_uuid(sync_bytes_text(party), &capture->own.party)) {
        return sync_fail_field(err, SYNC_CLASS_FATAL, SYNC_CODE_CONFIG,
                               "capture.altinn2_own_party_uuid",
                               "read capture.altinn2_own_party_uuid: it is no UUID");
    }
    return SYNC_OK;
}

static sync_status find_schema(struct delegation_capture *capture, struct sync_error *err)
{
    const char *name = sync_processor_delegation.schema;
    capture->schema = sync_schema_set_find(capture->shell->schemas, name);
    return capture->schema ? SYNC_OK
                           : sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_FILE,
                                       "find schema %s below schemas.dir: it is not there", name);
}

/* The live topic is the one that no route reads as a backlog. */
static void name_topics(struct receiver_shell *shell)
{
    const struct sync_processor *processor = &sync_processor_delegation;
    for (size_t i = 0; i < processor->route_count; i++) {
        const struct sync_route *route = &processor->routes[i];
        for (size_t k = 0; k < route->input_count; k++) {
            if (route->inputs[k].from == SYNC_SYSTEM_ALTINN2) {
                int index = route->yields_to ? DELEGATION_BACKLOG : DELEGATION_LIVE;
                shell->topics[index].name = route->inputs[k].topic;
            }
        }
    }
    SYNC_ASSERT(shell->topics[DELEGATION_LIVE].name && shell->topics[DELEGATION_BACKLOG].name);
    shell->topics[DELEGATION_WATERMARK].name = WATERMARKS;
    shell->topic_count = 3;
}

static sync_status open_part(struct receiver_shell *shell, void **ret_part, struct sync_error *err)
{
    struct delegation_capture *capture = calloc(1, sizeof *capture);
    if (!capture) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_MEMORY_LIMIT,
                         "start the capture: no memory");
    }
    *ret_part = capture;
    capture->shell = shell;
    capture->tick = PUSH_DONE;
    atomic_init(&capture->position, -1);
    name_topics(shell);
    sync_status status = check_prefix(shell->config, err);
    if (sync_is_ok(status)) {
        status = find_schema(capture, err);
    }
    if (sync_is_ok(status)) {
        status = read_names(capture, err);
    }
    if (sync_is_ok(status)) {
        status = read_own(capture, err);
    }
    struct sync_home home;
    if (sync_is_ok(status)) {
        status = sync_home_find(shell->config, sync_processor_delegation.home,
                                "capture " DELEGATION_CAPTURE, &home, err);
    }
    if (sync_is_ok(status)) {
        status = resolver_new(&home, DELEGATION_CAPTURE, &capture->resolver, err);
    }
    return sync_is_ok(status) ? delegation_reader_new(capture, &home, &capture->reader, err)
                              : status;
}

static void close_part(void **part)
{
    struct delegation_capture *capture = *part;
    delegation_reader_free(&capture->reader);
    resolver_free(&capture->resolver);
    free(capture);
    *part = NULL;
}

static sync_status ping(void *part, struct sync_error *err)
{
    struct delegation_capture *capture = part;
    return resolver_ping(capture->resolver, err);
}

static void run(void *part)
{
    struct delegation_capture *capture = part;
    delegation_reader_run(capture->reader);
}

sync_status sync_capture_altinn2_delegation_run(const struct sync_config *config,
                                                struct sync_error *err)
{
    static const struct receiver_capture capture = {
        .name = DELEGATION_CAPTURE,
        .calls = calls,
        .call_count = sizeof calls / sizeof calls[0],
        .locate = locate,
        .open = open_part,
        .close = close_part,
        .make = delegation_make,
        .confirm = delegation_confirm,
        .idle = delegation_idle,
        .ping = ping,
        .run = run,
    };
    return receiver_run(&capture, config, err);
}
