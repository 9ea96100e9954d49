/*
 * The options, one row each, and how a value gets into the struct. Not here: where values come from
 * (config_load.c) and how options relate (config_check.c).
 */
#include "config_rows.h"

#include "../core/limits.h"
#include "kafka.h"
#include "secret.h"
#include "units.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AT(field)     offsetof(struct sync_config, field), sizeof((struct sync_config *)NULL)->field
#define STRINGIFY(x)  #x
#define DIGITS(limit) STRINGIFY(limit)
#define TEXT_MAX      (SYNC_CONFIG_TEXT_MAX - 1)

const struct sync_option_row sync_option_rows[] = {
    {"kafka", "bootstrap_servers", SYNC_OPTION_TEXT, "", 1, TEXT_MAX, "127.0.0.1:9092", NULL,
     AT(kafka_bootstrap), "Brokers to begin with, host:port, comma between them."},
    {"kafka", "session_timeout_ms", SYNC_OPTION_MS, "ms", 1000, 300000,
     DIGITS(SYNC_KAFKA_SESSION_MS), NULL, AT(session_timeout_ms),
     "How long the broker waits for a silent member of the group."},
    {"database", "dsn", SYNC_OPTION_TEXT, "", 0, TEXT_MAX, "service=correspondence", NULL,
     AT(database_dsn),
     "Database of correspondence: libpq URI, keyword string or service; PG* variables fill the "
     "rest; no password; empty where nothing of it runs."},
    {"database", "authorization_dsn", SYNC_OPTION_TEXT, "", 0, TEXT_MAX, "", NULL,
     AT(database_authorization_dsn),
     "Database of authorization, where delegations are kept; as database.dsn, empty where nothing "
     "of it runs."},
    {"topics", "file", SYNC_OPTION_TEXT, "", 1, TEXT_MAX, "topics.yaml", NULL, AT(topics_file),
     "Topics, their settings, who writes and who reads."},
    {"topics", "overlay", SYNC_OPTION_TEXT, "", 0, TEXT_MAX, "", NULL, AT(topics_overlay),
     "Second file over topics.file; with --dev topics.dev.yaml unless set."},
    {"schemas", "dir", SYNC_OPTION_TEXT, "", 1, TEXT_MAX, "schemas", NULL, AT(schemas_dir),
     "Directory of the Avro schemas."},
    {"schemas", "registry_url", SYNC_OPTION_TEXT, "", 0, TEXT_MAX, "", NULL,
     AT(schemas_registry_url),
     "Schema registry; leave it empty, this version reads schemas.dir only."},
    {"http", "listen", SYNC_OPTION_ADDRESS, "", 0, TEXT_MAX, "127.0.0.1:9464", NULL,
     AT(http_listen), "Address of /metrics and the probes; port 0 takes any."},
    {"consumer", "batch_records_max", SYNC_OPTION_NUMBER, "records", 1, SYNC_BATCH_RECORDS_MAX,
     DIGITS(SYNC_BATCH_RECORDS_MAX), NULL, AT(batch_records_max), "Records of one transaction."},
    {"consumer", "batch_bytes_max", SYNC_OPTION_BYTES, "bytes", 4096, SYNC_BATCH_BYTES_MAX, "1MiB",
     NULL, AT(batch_bytes_max), "Bytes of one transaction."},
    {"consumer", "ring_bytes_max", SYNC_OPTION_BYTES, "bytes", 1024 * 1024, 64 * 1024 * 1024,
     "8MiB", NULL, AT(ring_bytes_max), "Records read but not applied; reading pauses above."},
    {"consumer", "start", SYNC_OPTION_CHOICE, "", 0, 0, "earliest", "earliest | latest",
     AT(consumer_start), "Where a scope without a position begins."},
    {"consumer", "origin_pool", SYNC_OPTION_NUMBER, "origins", 1, 64, DIGITS(SYNC_ORIGIN_POOL),
     NULL, AT(origin_pool), "Replication origins of one consumer: its processes and one more."},
    {"consumer", "adoption_interval_ms", SYNC_OPTION_MS, "ms", 50, 600000,
     DIGITS(SYNC_ADOPTION_INTERVAL_MS), NULL, AT(adoption_interval_ms),
     "How often held messages are looked for in Altinn 3."},
    {"consumer", "held_unknown_age_s", SYNC_OPTION_SECONDS, "s", 1, 365 * 86400, "86400", NULL,
     AT(held_unknown_age_s), "How long a change waits for a message nobody announced (CS-16)."},
    {"consumer", "held_expected_age_s", SYNC_OPTION_SECONDS, "s", 1, 365 * 86400, "2592000", NULL,
     AT(held_expected_age_s), "How long a change waits for a message that is expected (CS-15)."},
    {"consumer", "held_age_s", SYNC_OPTION_SECONDS, "s", 1, 365 * 86400, "604800", NULL,
     AT(held_age_s), "How long a delegation waits for a party, a user or a service (DL-09)."},
    {"consumer", "housekeeping_interval_ms", SYNC_OPTION_MS, "ms", 50, 3600000,
     DIGITS(SYNC_HOUSEKEEPING_INTERVAL_MS), NULL, AT(housekeeping_interval_ms),
     "How often ended rows are removed."},
    {"consumer", "echo_expected_s", SYNC_OPTION_SECONDS, "s", 1, 90 * 86400, "86400", NULL,
     AT(echo_expected_s), "How long after a call its echo is expected."},
    {"consumer", "outbox_keep_days", SYNC_OPTION_DAYS, "days", 1, 365, "14", NULL,
     AT(outbox_keep_days), "How long ended effects stay in the outbox."},
    {"capture", "slot", SYNC_OPTION_WORD, "", 1, 63, "altinn_sync_status", NULL, AT(capture_slot),
     "Replication slot of the capture of correspondence status."},
    {"capture", "publication", SYNC_OPTION_WORD, "", 1, 63, "altinn_sync_status", NULL,
     AT(capture_publication), "Publication the slot reads."},
    {"capture", "delegation_slot", SYNC_OPTION_WORD, "", 1, 63, "altinn_sync_delegation", NULL,
     AT(capture_delegation_slot), "Replication slot of the capture of delegations."},
    {"capture", "delegation_publication", SYNC_OPTION_WORD, "", 1, 63, "altinn_sync_delegation",
     NULL, AT(capture_delegation_publication), "Publication that slot reads."},
    {"capture", "listen", SYNC_OPTION_ADDRESS, "", 0, TEXT_MAX, "127.0.0.1:8081", NULL,
     AT(capture_listen), "Address of the Altinn 2 receiver; port 0 takes any."},
    {"capture", "token_file", SYNC_OPTION_TEXT, "", 0, TEXT_MAX, "", NULL, AT(capture_token_file),
     "Bearer token that callers of the receiver must send; required off loopback."},
    {"capture", "heartbeat_ms", SYNC_OPTION_MS, "ms", 100, 600000,
     DIGITS(SYNC_CAPTURE_HEARTBEAT_MS), NULL, AT(capture_heartbeat_ms),
     "How often an idle capture moves its slot."},
    {"capture", "export_path_prefix", SYNC_OPTION_TEXT, "", 0, TEXT_MAX, "export/", NULL,
     AT(capture_export_path_prefix),
     "Path below which the calls of Altinn 2 are rows of an export; empty takes no exports."},
    {"capture", "altinn2_own_user_id", SYNC_OPTION_NUMBER, "", 0, INT32_MAX, "0", NULL,
     AT(capture_altinn2_own_user_id),
     "User of Altinn 2 by whom the bridge acts: what he does is our own write; 0 = none."},
    {"capture", "altinn2_own_party_uuid", SYNC_OPTION_TEXT, "", 0, 36, "", NULL,
     AT(capture_altinn2_own_party_uuid), "UUID of the party of that user."},
    {"capture", "feed_poll_ms", SYNC_OPTION_MS, "ms", 50, 3600000, DIGITS(SYNC_FEED_POLL_MS), NULL,
     AT(capture_feed_poll_ms), "How often the role feed of Altinn 2 is read."},
    {"capture", "feed_overlap_ms", SYNC_OPTION_MS, "ms", 100, 86400000,
     DIGITS(SYNC_FEED_OVERLAP_MS), NULL, AT(capture_feed_overlap_ms),
     "How late an event of the role feed may show up behind later ones; that much is read again."},
    {"capture", "feed_start_link", SYNC_OPTION_TEXT, "", 0, TEXT_MAX, "", NULL,
     AT(capture_feed_start_link),
     "Link of the role feed where live begins while the first load runs; empty: after it."},
    {"bridge", "base_url", SYNC_OPTION_TEXT, "", 0, TEXT_MAX, "", NULL, AT(bridge_base_url),
     "Altinn 2 bridge; empty means no route to Altinn 2."},
    {"bridge", "delegation_command_path", SYNC_OPTION_TEXT, "", 0, TEXT_MAX, "", NULL,
     AT(bridge_delegation_command_path),
     "Path of the versioned command endpoint below the bridge; empty means that Altinn 2 has none: "
     "commands are kept and shown, and never sent."},
    {"bridge", "timeout_ms", SYNC_OPTION_MS, "ms", 100, 120000, DIGITS(SYNC_BRIDGE_TOTAL_MS), NULL,
     AT(bridge_timeout_ms), "Longest call; the bridge itself waits 30 s for Altinn 2."},
    {"bridge", "connections_max", SYNC_OPTION_NUMBER, "connections", 1, 64, "16", NULL,
     AT(bridge_connections_max), "Calls at the same time."},
    {"bridge", "token_file", SYNC_OPTION_TEXT, "", 0, TEXT_MAX, "", NULL, AT(bridge_token_file),
     "Bearer token for the bridge."},
    {"data", "dir", SYNC_OPTION_TEXT, "", 1, TEXT_MAX, "data", NULL, AT(data_dir),
     "Directory of the tables of rights and roles: rights.csv, role-packages.csv, a2-roles.csv."},
    {"authorization", "identity", SYNC_OPTION_TEXT, "", 36, 36,
     "6d3f8a52-1c07-5b7e-9a41-0e2f4c8b7d10", NULL, AT(authorization_identity),
     "Writing system of our rows in Altinn 3 authorization; it must be an entity there."},
    {"park", "seal_key_file", SYNC_OPTION_TEXT, "", 0, TEXT_MAX, "", NULL, AT(park_seal_key_file),
     "Public key that parked records are sealed to."},
    {"decision_log", "mode", SYNC_OPTION_CHOICE, "", 0, 0, "full", "full | sampled | off",
     AT(decision_mode), "What is written for explain; off for bulk loads."},
    {"decision_log", "keep_days", SYNC_OPTION_DAYS, "days", 1, 400, "14", NULL,
     AT(decision_keep_days), "How long decisions are kept."},
    {"log", "level", SYNC_OPTION_CHOICE, "", 0, 0, "info", "debug | info | warn | error",
     AT(log_level), "Lowest level that is logged."},
};
const size_t sync_option_row_count = sizeof sync_option_rows / sizeof sync_option_rows[0];
_Static_assert(sizeof sync_option_rows / sizeof sync_option_rows[0] <= SYNC_CONFIG_OPTIONS_MAX,
               "every option has a place for its origin");

static bool is_number(enum sync_option_type type)
{
    return type >= SYNC_OPTION_NUMBER;
}

static void *field_of(struct sync_config *config, const struct sync_option_row *option)
{
    return (char *)config + option->offset;
}

int sync_config_row(const char *section, const char *key)
{
    for (size_t i = 0; i < sync_option_row_count; i++) {
        if (strcmp(sync_option_rows[i].section, section) == 0 &&
            strcmp(sync_option_rows[i].key, key) == 0) {
            return (int)i;
        }
    }
    return -1;
}

/* Number in the option's own unit. False when it is not one. */
static bool read_number(const struct sync_option_row *option, const char *value, int64_t *ret)
{
    if (sync_units_number(value, ret)) {
        return true;
    }
    int64_t ms_per_unit = option->type == SYNC_OPTION_MS        ? 1
                          : option->type == SYNC_OPTION_SECONDS ? 1000
                                                                : 86400000;
    switch (option->type) {
    case SYNC_OPTION_BYTES:
        return sync_units_bytes(value, ret);
    case SYNC_OPTION_MS:
    case SYNC_OPTION_SECONDS:
    case SYNC_OPTION_DAYS:
        if (!sync_units_ms(value, ret) || *ret % ms_per_unit != 0) {
            return false;
        }
        *ret /= ms_per_unit;
        return true;
    case SYNC_OPTION_TEXT:
    case SYNC_OPTION_WORD:
    case SYNC_OPTION_CHOICE:
    case SYNC_OPTION_ADDRESS:
    case SYNC_OPTION_NUMBER:
        return false;
    }
    return false;
}

static sync_status wrong(const struct sync_option_row *option, const char *value,
                         const struct sync_config_place *place, const char *wanted,
                         struct sync_error *err)
{
    char name[64];
    (void)snprintf(name, sizeof name, "%s.%s", option->section, option->key);
    return sync_fail_field(err, SYNC_CLASS_FATAL, SYNC_CODE_CONFIG, name,
                           "%s: %s is \"%.40s\"; it takes %s", place->where, name, value, wanted);
}

static sync_status set_number(struct sync_config *config, const struct sync_option_row *option,
                              const char *value, const struct sync_config_place *place,
                              struct sync_error *err)
{
    int64_t number = 0;
    if (!read_number(option, value, &number) || number < option->min || number > option->max) {
        const char *also = option->type == SYNC_OPTION_BYTES    ? ", for example 1MiB"
                           : option->type == SYNC_OPTION_NUMBER ? ""
                                                                : ", or a duration such as PT30S";
        char wanted[128];
        (void)snprintf(wanted, sizeof wanted, "%" PRId64 " to %" PRId64 " %s%s", option->min,
                       option->max, option->unit, also);
        return wrong(option, value, place, wanted, err);
    }
    memcpy(field_of(config, option), &number, sizeof number);
    return SYNC_OK;
}

bool sync_config_number(const struct sync_config *config, const char *section, const char *key,
                        int64_t *ret_number)
{
    int row = sync_config_row(section, key);
    if (row < 0 || !is_number(sync_option_rows[row].type)) {
        return false;
    }
    memcpy(ret_number, (const char *)config + sync_option_rows[row].offset, sizeof *ret_number);
    return true;
}

static bool is_choice(const char *choices, const char *value)
{
    size_t size = strlen(value);
    for (const char *at = choices; at != NULL; at = strchr(at, '|')) {
        at += strspn(at, "| ");
        if (size > 0 && strcspn(at, " |") == size && strncmp(at, value, size) == 0) {
            return true;
        }
    }
    return false;
}

/* What a text should have been, NULL when it is fine. */
static const char *text_fault(const struct sync_option_row *option, const char *value)
{
    char host[256];
    int port = 0;
    size_t size = strlen(value);
    switch (option->type) {
    case SYNC_OPTION_CHOICE:
        return is_choice(option->choices, value) ? NULL : option->choices;
    case SYNC_OPTION_ADDRESS:
        return sync_config_split_address(value, host, sizeof host, &port)
                   ? NULL
                   : "host:port, for example 127.0.0.1:9464";
    case SYNC_OPTION_WORD:
        if (size != strspn(value, "abcdefghijklmnopqrstuvwxyz0123456789_") || size > 63 ||
            size == 0) {
            return "1 to 63 lower-case letters, digits and underscores";
        }
        return NULL;
    case SYNC_OPTION_TEXT:
        if ((int64_t)size < option->min || (int64_t)size > option->max) {
            return option->min == option->max     ? "36 characters"
                   : option->min > 0 && size == 0 ? "a value"
                                                  : "at most 1023 bytes";
        }
        return NULL;
    case SYNC_OPTION_NUMBER:
    case SYNC_OPTION_BYTES:
    case SYNC_OPTION_MS:
    case SYNC_OPTION_SECONDS:
    case SYNC_OPTION_DAYS:
        return NULL;
    }
    return NULL;
}

sync_status sync_config_set(struct sync_config *config, int row, const char *value,
                            const struct sync_config_place *place, struct sync_error *err)
{
    SYNC_ASSERT(row >= 0 && (size_t)row < sync_option_row_count);
    const struct sync_option_row *option = &sync_option_rows[row];
    if (is_number(option->type)) {
        sync_status status = set_number(config, option, value, place, err);
        if (!sync_is_ok(status)) {
            return status;
        }
    } else {
        const char *wanted = text_fault(option, value);
        if (wanted != NULL) {
            return wrong(option, value, place, wanted, err);
        }
        (void)snprintf(field_of(config, option), option->size, "%s", value);
    }
    (void)snprintf(config->origins[row], sizeof config->origins[row], "%s", place->origin);
    return SYNC_OK;
}

bool sync_config_is_secret(const char *name)
{
    static const char *const words[] = {"password", "secret", "key.pem", "passphrase"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strstr(name, words[i]) != NULL) {
            return true;
        }
    }
    return false;
}

static sync_status store_property(struct sync_config *config, const char *name, const char *value,
                                  bool secret, const struct sync_config_place *place,
                                  struct sync_error *err)
{
    sync_status status = sync_kafka_property_check(name, value, secret, err);
    if (!sync_is_ok(status)) {
        return sync_wrap(err, "%s", place->where);
    }
    size_t pair = 0;
    while (config->kafka_properties[2 * pair] != NULL &&
           strcmp(config->kafka_properties[2 * pair], name) != 0) {
        pair++;
    }
    if (pair == SYNC_CONFIG_PROPERTIES_MAX) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_CONFIG,
                         "%s: kafka.properties has more than %d entries", place->where,
                         SYNC_CONFIG_PROPERTIES_MAX);
    }
    free((char *)config->kafka_properties[2 * pair]);
    free((char *)config->kafka_properties[2 * pair + 1]);
    config->kafka_properties[2 * pair] = strdup(name);
    config->kafka_properties[2 * pair + 1] = strdup(value);
    SYNC_ASSERT(config->kafka_properties[2 * pair] != NULL &&
                config->kafka_properties[2 * pair + 1] != NULL);
    config->property_secret[pair] = secret;
    (void)snprintf(config->property_origins[pair], sizeof config->property_origins[pair], "%s",
                   place->origin);
    return SYNC_OK;
}

sync_status sync_config_set_property(struct sync_config *config, const char *name,
                                     const char *value, const struct sync_config_place *place,
                                     struct sync_error *err)
{
    size_t size = strlen(name);
    if (size == 0 || size > 100) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_CONFIG,
                         "%s: the name of a Kafka property has 1 to 100 characters", place->where);
    }
    if (size > 5 && strcmp(name + size - 5, "_file") == 0) {
        char secret[SYNC_SECRET_MAX], bare[128], setting[160];
        (void)snprintf(bare, sizeof bare, "%.*s", (int)(size - 5), name);
        (void)snprintf(setting, sizeof setting, "kafka.properties.%s", name);
        sync_status status = sync_secret_read(setting, value, secret, sizeof secret, err);
        if (!sync_is_ok(status)) {
            return sync_wrap(err, "%s", place->where);
        }
        status = store_property(config, bare, secret, true, place, err);
        explicit_bzero(secret, sizeof secret);
        return status;
    }
    if (sync_config_is_secret(name)) {
        return sync_fail(
            err, SYNC_CLASS_FATAL, SYNC_CODE_INSECURE,
            "%s: %s is a secret; put it into a file and write kafka.properties.%s_file: "
            "PATH instead",
            place->where, name, name);
    }
    return store_property(config, name, value, false, place, err);
}

sync_status sync_config_set_secret(struct sync_config *config, const char *name, const char *value,
                                   const struct sync_config_place *place, struct sync_error *err)
{
    return store_property(config, name, value, true, place, err);
}

const char *sync_config_property(const struct sync_config *config, const char *name)
{
    for (size_t i = 0; config->kafka_properties[i] != NULL; i += 2) {
        if (strcmp(config->kafka_properties[i], name) == 0) {
            return config->kafka_properties[i + 1];
        }
    }
    return NULL;
}

void sync_config_done(struct sync_config *config)
{
    for (size_t i = 0; config->kafka_properties[i] != NULL; i++) {
        char *text = (char *)config->kafka_properties[i];
        explicit_bzero(text, strlen(text));
        free(text);
        config->kafka_properties[i] = NULL;
    }
}

void sync_config_each(const struct sync_config *config,
                      void (*each)(const char *name, const char *value, const char *origin,
                                   const char *help, void *context),
                      void *context)
{
    char name[160], digits[32];
    for (size_t i = 0; i < sync_option_row_count; i++) {
        const struct sync_option_row *option = &sync_option_rows[i];
        const char *value = (const char *)config + option->offset;
        if (is_number(option->type)) {
            int64_t number = 0;
            memcpy(&number, value, sizeof number);
            (void)snprintf(digits, sizeof digits, "%" PRId64, number);
            value = digits;
        }
        (void)snprintf(name, sizeof name, "%s.%s", option->section, option->key);
        each(name, value, config->origins[i], option->help, context);
    }
    for (size_t i = 0; config->kafka_properties[2 * i] != NULL; i++) {
        (void)snprintf(name, sizeof name, "kafka.properties.%s", config->kafka_properties[2 * i]);
        each(name, config->property_secret[i] ? "********" : config->kafka_properties[2 * i + 1],
             config->property_origins[i], "Property of the Kafka client.", context);
    }
}
