/*
 * How options relate: each check answers with one sentence that names the settings. Not here: the
 * range of a single option (config.c).
 */
#include "config_rows.h"

#include "../core/limits.h"
#include "home.h"
#include "postgres.h"
#include "secret.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef sync_status check_function(const struct sync_config *config, struct sync_error *err);

bool sync_config_split_address(const char *address, char *ret_host, size_t host_size, int *ret_port)
{
    const char *colon = strrchr(address, ':');
    if (colon == NULL || colon == address) {
        return false;
    }
    const char *host = address;
    size_t size = (size_t)(colon - address);
    if (host[0] == '[') {
        if (size < 3 || host[size - 1] != ']') {
            return false;
        }
        host++;
        size -= 2;
    } else if (memchr(host, ':', size) != NULL) {
        return false; /* an IPv6 address needs its brackets */
    }
    size_t digits = strspn(colon + 1, "0123456789");
    if (size >= host_size || digits == 0 || digits > 5 || colon[1 + digits] != '\0' ||
        strcspn(host, " \t/") < size) {
        return false;
    }
    long port = strtol(colon + 1, NULL, 10);
    if (port > 65535) {
        return false;
    }
    memcpy(ret_host, host, size);
    ret_host[size] = '\0';
    *ret_port = (int)port;
    return true;
}

static bool address_is_loopback(const char *address)
{
    char host[256];
    int port = 0;
    return sync_config_split_address(address, host, sizeof host, &port) &&
           sync_config_is_loopback(host);
}

/* Every broker of the list; ret_malformed: an entry is not host:port. */
static bool brokers_are_loopback(const char *list, bool *ret_malformed)
{
    bool all = true;
    *ret_malformed = false;
    char copy[SYNC_CONFIG_TEXT_MAX];
    (void)snprintf(copy, sizeof copy, "%s", list);
    char *rest = NULL;
    for (char *at = strtok_r(copy, ", ", &rest); at != NULL; at = strtok_r(NULL, ", ", &rest)) {
        const char *bare = strstr(at, "://") != NULL ? strstr(at, "://") + 3 : at;
        char host[256];
        int port = 0;
        if (!sync_config_split_address(bare, host, sizeof host, &port) || port == 0) {
            *ret_malformed = true;
            return false;
        }
        all = all && sync_config_is_loopback(host);
    }
    return all;
}

/* Host part of a URL, "" when it is none of http and https or carries more than scheme, host, port,
 * path. */
static void url_host(const char *url, char *ret_host, size_t size)
{
    ret_host[0] = '\0';
    const char *at = strncmp(url, "https://", 8) == 0  ? url + 8
                     : strncmp(url, "http://", 7) == 0 ? url + 7
                                                       : NULL;
    if (at == NULL || strpbrk(at, "@?# ") != NULL) {
        return;
    }
    char authority[300];
    size_t length = strcspn(at, "/");
    if (length == 0 || length + 4 > sizeof authority) {
        return;
    }
    bool has_port = at[length - 1] != ']' && memchr(at, ':', length) != NULL;
    (void)snprintf(authority, sizeof authority, "%.*s%s", (int)length, at, has_port ? "" : ":80");
    int port = 0;
    if (!sync_config_split_address(authority, ret_host, size, &port)) {
        ret_host[0] = '\0';
    }
}

static sync_status insecure(struct sync_error *err, const char *field, const char *sentence)
{
    return sync_fail_field(err, SYNC_CLASS_FATAL, SYNC_CODE_INSECURE, field, "%s", sentence);
}

static sync_status wrong(struct sync_error *err, const char *field, const char *sentence)
{
    return sync_fail_field(err, SYNC_CLASS_FATAL, SYNC_CODE_CONFIG, field, "%s", sentence);
}

static const char *property(const struct sync_config *config, const char *name)
{
    const char *value = sync_config_property(config, name);
    return value != NULL ? value : "";
}

static sync_status check_kafka(const struct sync_config *config, struct sync_error *err)
{
    bool malformed = false;
    bool loopback = brokers_are_loopback(config->kafka_bootstrap, &malformed);
    if (malformed) {
        return wrong(err, "kafka.bootstrap_servers",
                     "kafka.bootstrap_servers takes host:port with commas between, for example "
                     "broker-1:9093,broker-2:9093");
    }
    const char *protocol = property(config, "security.protocol");
    bool encrypted = strcasecmp(protocol, "ssl") == 0 || strcasecmp(protocol, "sasl_ssl") == 0;
    if (!loopback && !encrypted) {
        return insecure(err, "kafka.bootstrap_servers",
                        "kafka.bootstrap_servers leads to another machine in plaintext; set "
                        "security.protocol to ssl or sasl_ssl in kafka.properties");
    }
    if (strcasecmp(property(config, "enable.ssl.certificate.verification"), "false") == 0 ||
        strcasecmp(property(config, "ssl.endpoint.identification.algorithm"), "none") == 0) {
        return insecure(err, "kafka.properties",
                        "kafka.properties switches the check of certificate or name off, which is "
                        "never done; give the authority with ssl.ca.location instead");
    }
    if (!loopback && property(config, "debug")[0] != '\0') {
        return insecure(
            err, "kafka.properties.debug",
            "kafka.properties.debug prints records and is taken only where every broker "
            "is on loopback; remove it");
    }
    return SYNC_OK;
}

/* "password" as a keyword, as a part of a URI's query or behind the user of a URI. */
static bool dsn_has_password(const char *dsn)
{
    if (strncmp(dsn, "postgresql://", 13) == 0 || strncmp(dsn, "postgres://", 11) == 0) {
        const char *authority = strstr(dsn, "://") + 3;
        size_t size = strcspn(authority, "/?");
        const char *user_end = memchr(authority, '@', size);
        bool inside =
            user_end != NULL && memchr(authority, ':', (size_t)(user_end - authority)) != NULL;
        return inside || strstr(dsn, "?password=") != NULL || strstr(dsn, "&password=") != NULL;
    }
    for (const char *at = strstr(dsn, "password"); at != NULL; at = strstr(at + 1, "password")) {
        const char *behind = at + strlen("password");
        bool begins = at == dsn || at[-1] == ' ' || at[-1] == '\t' || at[-1] == '\'';
        if (begins && behind[strspn(behind, " \t")] == '=') {
            return true;
        }
    }
    return false;
}

static sync_status check_database(const struct sync_config *config, struct sync_error *err)
{
    if (getenv("PGPASSWORD") != NULL) {
        return insecure(
            err, "database.dsn",
            "the environment variable PGPASSWORD is refused, because every process of "
            "the user can read it; put the password into a file and name it in PGPASSFILE");
    }
    struct sync_home homes[SYNC_HOMES_MAX];
    size_t count = sync_homes_read(config, homes);
    for (size_t i = 0; i < count; i++) {
        if (dsn_has_password(homes[i].dsn)) {
            return sync_fail_field(
                err, SYNC_CLASS_FATAL, SYNC_CODE_INSECURE, homes[i].setting,
                "%s holds a password; put it into a file and name it with passfile=PATH or "
                "PGPASSFILE",
                homes[i].setting);
        }
    }
    return SYNC_OK;
}

static sync_status check_identity(const struct sync_config *config, struct sync_error *err)
{
    struct sync_uuid id;
    if (!sync_uuid_parse(sync_bytes_text(config->authorization_identity), &id) ||
        sync_uuid_is_zero(&id)) {
        return wrong(err, "authorization.identity",
                     "authorization.identity takes a UUID, for example "
                     "6d3f8a52-1c07-5b7e-9a41-0e2f4c8b7d10");
    }
    return SYNC_OK;
}

static sync_status check_bridge(const struct sync_config *config, struct sync_error *err)
{
    if (config->bridge_base_url[0] == '\0') {
        return SYNC_OK;
    }
    char host[256];
    url_host(config->bridge_base_url, host, sizeof host);
    if (host[0] == '\0') {
        return wrong(err, "bridge.base_url",
                     "bridge.base_url takes https://host/path without user, query and fragment");
    }
    if (strncmp(config->bridge_base_url, "https://", 8) != 0 && !sync_config_is_loopback(host)) {
        return insecure(err, "bridge.base_url",
                        "bridge.base_url leads to another machine over http; use https");
    }
    return SYNC_OK;
}

static sync_status check_command_path(const struct sync_config *config, struct sync_error *err)
{
    const char *path = config->bridge_delegation_command_path;
    if (path[0] != '\0' && (path[0] != '/' || strpbrk(path, " ?#") != NULL)) {
        return wrong(err, "bridge.delegation_command_path",
                     "bridge.delegation_command_path takes a path that begins with / and has no "
                     "query, for example /delegation/commands");
    }
    return SYNC_OK;
}

static sync_status check_listeners(const struct sync_config *config, struct sync_error *err)
{
    if (!address_is_loopback(config->capture_listen) && config->capture_token_file[0] == '\0') {
        return insecure(err, "capture.listen",
                        "capture.listen is open to other machines; set capture.token_file, or "
                        "listen on 127.0.0.1");
    }
    size_t size = strlen(config->http_listen);
    bool any_port = size > 2 && strcmp(config->http_listen + size - 2, ":0") == 0;
    if (!any_port && strcmp(config->http_listen, config->capture_listen) == 0) {
        return wrong(err, "http.listen",
                     "http.listen and capture.listen are the same address; give one of them "
                     "another port");
    }
    return SYNC_OK;
}

static sync_status check_secret_files(const struct sync_config *config, struct sync_error *err)
{
    const struct {
        const char *setting, *path;
    } files[] = {{"capture.token_file", config->capture_token_file},
                 {"bridge.token_file", config->bridge_token_file}};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        sync_status status = files[i].path[0] != '\0'
                                 ? sync_secret_check(files[i].setting, files[i].path, err)
                                 : SYNC_OK;
        if (!sync_is_ok(status)) {
            return status;
        }
    }
    return SYNC_OK;
}

static sync_status check_sizes(const struct sync_config *config, struct sync_error *err)
{
    if (config->batch_bytes_max > config->ring_bytes_max) {
        return wrong(err, "consumer.ring_bytes_max",
                     "consumer.ring_bytes_max is below consumer.batch_bytes_max, so a batch could "
                     "never fill; raise the first or lower the second");
    }
    if (config->schemas_registry_url[0] != '\0') {
        return wrong(err, "schemas.registry_url",
                     "schemas.registry_url must be empty, this version reads schemas from "
                     "schemas.dir only; remove it");
    }
    return SYNC_OK;
}

/* After faults heal both sides are equal within 60 s: the sum of all waits must stay below. */
static sync_status check_convergence(const struct sync_config *config, struct sync_error *err)
{
    int64_t sum_ms =
        SYNC_DRAIN_MS + config->session_timeout_ms + SYNC_BACKOFF_MAX_MS + SYNC_HOLD_DOWN_MS;
    if (sum_ms > SYNC_CONVERGENCE_MS) {
        return sync_fail_field(err, SYNC_CLASS_FATAL, SYNC_CODE_CONFIG, "kafka.session_timeout_ms",
                               "kafka.session_timeout_ms is too long: drain %d + session %" PRId64
                               " + backoff %d + hold-down %d ms exceed %d ms; set it to %d or less",
                               SYNC_DRAIN_MS, config->session_timeout_ms, SYNC_BACKOFF_MAX_MS,
                               SYNC_HOLD_DOWN_MS, SYNC_CONVERGENCE_MS,
                               SYNC_CONVERGENCE_MS - SYNC_DRAIN_MS - SYNC_BACKOFF_MAX_MS -
                                   SYNC_HOLD_DOWN_MS);
    }
    return SYNC_OK;
}

/* First setting that leads to another machine, NULL when there is none. */
static const char *first_remote(const struct sync_config *config)
{
    bool malformed = false;
    char host[256];
    if (!brokers_are_loopback(config->kafka_bootstrap, &malformed)) {
        return "kafka.bootstrap_servers";
    }
    if (config->bridge_base_url[0] != '\0') {
        url_host(config->bridge_base_url, host, sizeof host);
        if (!sync_config_is_loopback(host)) {
            return "bridge.base_url";
        }
    }
    return NULL;
}

/*
 * The setting of a database that is not this machine, NULL = none. A DSN that does not resolve is
 * left to the verbs that connect: the others must run without a database; it makes ret_known false.
 */
static const char *remote_database(const struct sync_config *config, bool *ret_known)
{
    struct sync_home homes[SYNC_HOMES_MAX];
    size_t count = sync_homes_read(config, homes);
    *ret_known = true;
    for (size_t i = 0; i < count; i++) {
        struct sync_error ignored;
        bool loopback = false;
        sync_status status =
            sync_db_dsn_is_loopback(homes[i].dsn, homes[i].setting, &loopback, &ignored);
        bool known = sync_is_ok(status) || ignored.code == SYNC_CODE_INSECURE;
        if (known && !loopback) {
            return homes[i].setting;
        }
        *ret_known = *ret_known && known;
    }
    return NULL;
}

static sync_status check_dev(const struct sync_config *config, struct sync_error *err)
{
    bool known = false;
    const char *remote = first_remote(config);
    if (remote == NULL && !address_is_loopback(config->http_listen)) {
        remote = "http.listen";
    }
    if (remote == NULL && !address_is_loopback(config->capture_listen)) {
        remote = "capture.listen";
    }
    if (remote == NULL) {
        remote = remote_database(config, &known);
    }
    if (!config->dev || remote == NULL) {
        return SYNC_OK;
    }
    return sync_fail_field(err, SYNC_CLASS_FATAL, SYNC_CODE_INSECURE, remote,
                           "--dev is refused, because %s is not loopback; drop --dev or use "
                           "127.0.0.1",
                           remote);
}

/* Puts the place of the setting that err names before its sentence, unless the default is to blame.
 */
static void add_place(const struct sync_config *config, struct sync_error *err)
{
    const char *dot = strchr(err->field, '.');
    char section[64] = "";
    if (dot != NULL) {
        (void)snprintf(section, sizeof section, "%.*s", (int)(dot - err->field), err->field);
    }
    int row = dot != NULL ? sync_config_row(section, dot + 1) : -1;
    if (row >= 0 && strcmp(config->origins[row], "default") != 0) {
        (void)sync_wrap(err, "%s", config->origins[row]); /* the class stays */
    }
}

sync_status sync_config_check(struct sync_config *config, struct sync_error *err)
{
    static check_function *const checks[] = {
        check_kafka,       check_database,     check_bridge,   check_listeners,    check_sizes,
        check_convergence, check_secret_files, check_identity, check_command_path, check_dev};
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        sync_status status = checks[i](config, err);
        if (!sync_is_ok(status)) {
            if (err != NULL) {
                add_place(config, err);
            }
            return status;
        }
    }
    bool known = false;
    config->loopback =
        first_remote(config) == NULL && remote_database(config, &known) == NULL && known;
    return SYNC_OK;
}
