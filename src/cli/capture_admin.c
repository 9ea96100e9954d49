/* capture init and capture status: the slot of a source and what is recorded of it. Not here:
 * capturing. */
#include "homes.h"

#include "../../connectors/altinn3/capture.h"
#include "../../connectors/altinn3/capture_source.h"
#include "../../connectors/altinn3/pgoutput.h"

#include <inttypes.h>
#include <string.h>

/* Everything that is known about one source. */
struct findings {
    const struct capture_entity *entity;
    struct sync_home home;
    struct capture_source source;
    struct capture_slot slot;
    struct capture_identity identity;
    sync_status verdict; /* of the comparison */
    struct sync_error reason;
    bool gap;
};

/* A source that has a slot. Returns 0, or an exit code after saying why. */
static int take_entity(const char *verb, int argc, char **argv,
                       const struct capture_entity **ret_entity)
{
    int wrong = sync_cli_arguments(verb, argc, argv, 1, 1);
    if (wrong != 0) {
        return wrong;
    }
    char names[256] = "";
    for (size_t i = 0, used = 0; capture_entities[i] != NULL && used < sizeof names; i++) {
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i > 0 ? ", " : "",
                                 capture_entities[i]->name);
    }
    *ret_entity = capture_entity_find(argv[0]);
    if (*ret_entity == NULL) {
        return sync_cli_usage(verb, "%.60s has no slot; captures that have one: %s", argv[0],
                              names);
    }
    return 0;
}

static sync_status open_database(const struct sync_cli *cli, struct findings *findings,
                                 struct sync_db **ret_db, struct sync_error *err)
{
    sync_status status = capture_home_of(findings->entity, &cli->config, &findings->home, err);
    if (sync_is_ok(status)) {
        status = homes_open(&findings->home, "altinn-sync-cli", ret_db, err);
    }
    return sync_is_ok(status) ? sync_db_connect(*ret_db, err) : status;
}

/* Without a record the names of the settings are looked for. */
static sync_status look(const struct sync_cli *cli, struct sync_db *db,
                        struct findings *ret_findings, struct sync_error *err)
{
    struct findings *found = ret_findings;
    struct capture_wire *wire = NULL;
    const struct capture_entity *entity = found->entity;
    sync_status status = capture_source_read(db, entity->name, &found->source, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    if (!found->source.found) {
        (void)snprintf(found->source.slot, sizeof found->source.slot, "%s",
                       capture_slot_of(entity, &cli->config));
        (void)snprintf(found->source.publication, sizeof found->source.publication, "%s",
                       capture_publication_of(entity, &cli->config));
    }
    status = capture_wire_open(found->home.dsn, found->home.setting, "altinn-sync-cli", &wire,
                               &found->identity, err);
    capture_wire_close(&wire);
    if (sync_is_ok(status)) {
        status = capture_slot_read(db, entity, &found->source, &found->slot, err);
    }
    if (sync_is_ok(status)) {
        found->verdict = capture_source_check(entity, &found->source, &found->slot,
                                              &found->identity, &found->gap, &found->reason);
    }
    return status;
}

/* What stands in the way of a new slot. Returns 0, or an exit code after saying why. */
static int may_create(const struct sync_cli *cli, const struct findings *found)
{
    if (found->slot.found) {
        (void)fprintf(stderr,
                      "altinn-sync: slot %s exists, but %s; when nobody uses it, drop it with "
                      "SELECT pg_drop_replication_slot('%s') and run this again\n",
                      found->source.slot,
                      found->source.found ? found->reason.text : "sync.source does not know it",
                      found->source.slot);
        return SYNC_EXIT_REFUSED;
    }
    if (!found->slot.publication_found) {
        (void)fprintf(stderr,
                      "altinn-sync: there is no publication %s of %s; let their owner run %s\n",
                      found->source.publication, found->entity->published,
                      found->entity->tables->publication_file);
        return SYNC_EXIT_REFUSED;
    }
    if (found->source.found) {
        (void)fprintf(stderr, "altinn-sync: %s\n", found->reason.text);
        return sync_cli_confirm(cli, "Begin a new generation and record the gap?")
                   ? 0
                   : SYNC_EXIT_REFUSED;
    }
    return 0;
}

static int print_created(const struct sync_cli *cli, const char *name,
                         const struct capture_source *source, bool is_new)
{
    char generation[16], start[PGOUTPUT_LSN_BUFFER];
    pgoutput_lsn_format(source->start_lsn, start);
    (void)snprintf(generation, sizeof generation, "%d", (int)source->generation);
    if (!cli->json && !is_new) {
        (void)printf("nothing to do: slot %s of generation %s fits what is recorded\n",
                     source->slot, generation);
        return SYNC_EXIT_OK;
    }
    struct sync_table *table = sync_table_new(SYNC_CELLS("name", "#generation", "slot", "start"));
    sync_table_row(table, SYNC_CELLS(name, generation, source->slot, start));
    sync_table_print(&table, cli->json, stdout);
    return SYNC_EXIT_OK;
}

static int create(const struct sync_cli *cli, struct sync_db *db, struct findings *found)
{
    struct sync_error err;
    struct capture_source wanted = {.identity = found->identity};
    const struct capture_entity *entity = found->entity;
    (void)snprintf(wanted.slot, sizeof wanted.slot, "%s", capture_slot_of(entity, &cli->config));
    (void)snprintf(wanted.publication, sizeof wanted.publication, "%s",
                   capture_publication_of(entity, &cli->config));
    sync_status status = capture_server_check(db, &err);
    if (sync_is_ok(status)) {
        status = capture_source_create(db, entity->name, &wanted, &err);
    }
    if (sync_is_ok(status)) {
        status = capture_source_read(db, entity->name, &wanted, &err);
    }
    return sync_is_ok(status) ? print_created(cli, entity->name, &wanted, true)
                              : sync_cli_fail(&err);
}

static int init_in(const struct sync_cli *cli, struct findings *found, struct sync_db *db)
{
    struct sync_error err;
    if (!sync_is_ok(look(cli, db, found, &err))) {
        return sync_cli_fail(&err);
    }
    if (found->source.found && sync_is_ok(found->verdict)) {
        return print_created(cli, found->entity->name, &found->source, false);
    }
    int refused = may_create(cli, found);
    return refused != 0 ? refused : create(cli, db, found);
}

int sync_cli_capture_init(struct sync_cli *cli, int argc, char **argv)
{
    struct sync_error err;
    struct sync_db *db = NULL;
    struct findings found = {.gap = false};
    int wrong = take_entity("capture init", argc, argv, &found.entity);
    if (wrong != 0) {
        return wrong;
    }
    int code = sync_is_ok(open_database(cli, &found, &db, &err)) ? init_in(cli, &found, db)
                                                                 : sync_cli_fail(&err);
    sync_db_free(&db);
    return code;
}

static void print_status(const struct sync_cli *cli, const struct findings *found)
{
    char numbers[4][24], positions[3][PGOUTPUT_LSN_BUFFER];
    const struct capture_source *source = &found->source;
    pgoutput_lsn_format(source->start_lsn, positions[0]);
    pgoutput_lsn_format(source->delivered_lsn, positions[1]);
    pgoutput_lsn_format(found->slot.confirmed_lsn, positions[2]);
    (void)snprintf(numbers[0], sizeof numbers[0], "%d", (int)source->generation);
    (void)snprintf(numbers[1], sizeof numbers[1], "%d", (int)source->identity.timeline);
    (void)snprintf(numbers[2], sizeof numbers[2], "%" PRId64, found->slot.retained_bytes);
    (void)snprintf(numbers[3], sizeof numbers[3], "%" PRId64, found->slot.open_gaps);
    struct sync_table *table = sync_table_new(
        SYNC_CELLS("name", "#generation", "slot", "active", "system_id", "#timeline", "start",
                   "delivered", "slot_confirmed", "wal_status", "#retained_bytes", "#open_gaps"));
    sync_table_row(table, SYNC_CELLS(found->entity->name, numbers[0], source->slot,
                                     found->slot.active ? "yes" : "no", source->identity.system_id,
                                     numbers[1], positions[0], positions[1],
                                     found->slot.found ? positions[2] : "", found->slot.wal_status,
                                     numbers[2], numbers[3]));
    sync_table_print(&table, cli->json, stdout);
}

static int status_in(const struct sync_cli *cli, struct findings *found, struct sync_db *db)
{
    struct sync_error err;
    if (!sync_is_ok(look(cli, db, found, &err))) {
        return sync_cli_fail(&err);
    }
    if (!found->source.found) {
        (void)fprintf(stderr, "altinn-sync: %s\n", found->reason.text);
        return SYNC_EXIT_NOT_FOUND;
    }
    print_status(cli, found);
    if (!sync_is_ok(found->verdict)) {
        (void)fprintf(stderr, "altinn-sync: %s\n", found->reason.text);
        return SYNC_EXIT_DIFFERENCES;
    }
    return found->slot.open_gaps > 0 ? SYNC_EXIT_DIFFERENCES : SYNC_EXIT_OK;
}

int sync_cli_capture_status(struct sync_cli *cli, int argc, char **argv)
{
    struct sync_error err;
    struct sync_db *db = NULL;
    struct findings found = {.gap = false};
    int wrong = take_entity("capture status", argc, argv, &found.entity);
    if (wrong != 0) {
        return wrong;
    }
    int code = sync_is_ok(open_database(cli, &found, &db, &err)) ? status_in(cli, &found, db)
                                                                 : sync_cli_fail(&err);
    sync_db_free(&db);
    return code;
}
