/*
 * Writes the population of delegations as JSON lines: parties, resources and relations of clients
 * to their bookkeepers, by the numbers of delegations.h. The same numbers give the same bytes. Not
 * here: putting them into a database (delegations.py), acts on them (the simulators).
 */
#include "delegations.h"

#include <runtime/json.h>
#include <stdlib.h>

static const char *const help =
    "Usage: dev-make-delegations --parties N --resources N\n"
    "\n"
    "  --parties N    an even number: as many organisations as persons\n"
    "  --resources N  a multiple of 5: as many of each kind\n";

static const char *const type_names[DELEGATIONS_RESOURCE_KINDS] = {
    "CorrespondenceService", "AltinnApp", "CorrespondenceService", "GenericAccessResource",
    "MaskinportenSchema"};
/* What the policy of a resource offers: all that Altinn 2 can give, and something that it cannot.
 */
static const char *const type_actions[DELEGATIONS_RESOURCE_KINDS][6] = {
    {"read", "subscribe", "write", "sign"},
    {"read", "write", "sign", "archiveread", "instantiate"},
    {"read", "subscribe", "write", "sign"},
    {"read", "write", "sign", "archiveread", "subscribe"},
    {"read", "write", "scopeaccess"}};

static bool put_line(struct sync_json_writer *writer)
{
    sync_json_close(writer, '}');
    char *line = sync_json_writer_take(writer);
    bool good = line != NULL && puts(line) != EOF;
    free(line);
    return good;
}

static void open_line(struct sync_json_writer *writer, const char *type)
{
    sync_json_writer_init(writer);
    sync_json_open(writer, NULL, '{');
    sync_json_put_text(writer, "type", type);
}

static void put_uuid(struct sync_json_writer *writer, const char *name, struct sync_uuid id)
{
    char text[SYNC_UUID_BUFFER];
    sync_uuid_format(&id, text);
    sync_json_put_text(writer, name, text);
}

static bool put_party(int32_t party)
{
    struct sync_json_writer writer;
    open_line(&writer, "party");
    put_uuid(&writer, "uuid", population_party(party));
    sync_json_put_integer(&writer, "partyId", party);
    sync_json_put_integer(&writer, "userId", delegations_user(party));
    sync_json_put_bool(&writer, "person", delegations_is_person(party));
    return put_line(&writer);
}

static bool put_resource(int32_t resource)
{
    struct sync_json_writer writer;
    char text[64];
    int32_t kind = resource % DELEGATIONS_RESOURCE_KINDS;
    open_line(&writer, "resource");
    delegations_resource_id(resource, text, sizeof text);
    sync_json_put_text(&writer, "id", text);
    put_uuid(&writer, "uuid", delegations_row_id("resource", resource));
    sync_json_put_text(&writer, "resourceType", type_names[kind]);
    (void)snprintf(text, sizeof text, "%d", (int)delegations_service(resource));
    sync_json_put_text(&writer, "serviceCode", delegations_service(resource) == 0 ? NULL : text);
    sync_json_put_integer(&writer, "serviceEdition", delegations_edition(resource));
    sync_json_open(&writer, "actions", '[');
    for (int i = 0; type_actions[kind][i] != NULL; i++) {
        sync_json_put_text(&writer, NULL, type_actions[kind][i]);
    }
    sync_json_close(&writer, ']');
    return put_line(&writer);
}

/* The client has its bookkeeper: a fact of the company register. */
static bool put_relation(const struct delegations_size *size, int32_t client)
{
    struct sync_json_writer writer;
    int32_t firm = delegations_firm(size, client);
    if (firm == 0) {
        return true;
    }
    open_line(&writer, "relation");
    put_uuid(&writer, "id", delegations_row_id("relation", client));
    put_uuid(&writer, "from", population_party(client));
    put_uuid(&writer, "to", population_party(firm));
    sync_json_put_text(&writer, "role", "regnskapsforer");
    return put_line(&writer);
}

static bool read_options(int argc, char **argv, struct delegations_size *ret_size)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        long number = strtol(argv[i + 1], NULL, 10);
        if (strcmp(argv[i], "--parties") == 0 && number >= 4 && number <= 10000000) {
            ret_size->parties = (int32_t)number;
        } else if (strcmp(argv[i], "--resources") == 0 && number > 0 && number <= 10000) {
            ret_size->resources = (int32_t)number;
        } else {
            return false;
        }
    }
    return argc == 5 && ret_size->parties > 0 && ret_size->parties % 2 == 0 &&
           ret_size->resources > 0 && ret_size->resources % DELEGATIONS_RESOURCE_KINDS == 0;
}

int main(int argc, char **argv)
{
    struct delegations_size size = {0};
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        (void)fputs(help, stdout);
        return 0;
    }
    if (!read_options(argc, argv, &size)) {
        (void)fputs("dev-make-delegations: the command line is not understood; see --help\n",
                    stderr);
        return 2;
    }
    bool good = true;
    for (int32_t i = 0; i < size.parties && good; i++) {
        good = put_party(POPULATION_PARTY_FIRST + i);
    }
    for (int32_t i = 0; i < size.resources && good; i++) {
        good = put_resource(i);
    }
    for (int32_t i = 0; i < size.parties && good; i += 2) {
        good = put_relation(&size, POPULATION_PARTY_FIRST + i);
    }
    if (!good || fflush(stdout) != 0) {
        (void)fputs("dev-make-delegations: write to standard output: not everything was written\n",
                    stderr);
        return 1;
    }
    return 0;
}
