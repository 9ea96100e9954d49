/*
 * Where a DSN leads and whether we may go there: loopback, or TLS with the name checked. Not here:
 * reading the text (postgres.c asks libpq), opening the connection.
 */
#include "config.h"
#include "postgres_wire.h"

#include <stdio.h>
#include <stdlib.h>

/* Element of a comma list, "" behind its end. False when it does not fit. */
static bool list_item(const char *list, int index, size_t capacity, char *ret_item)
{
    for (; index > 0 && *list != '\0'; index--) {
        list += strcspn(list, ",");
        list += *list == ',';
    }
    size_t size = strcspn(list, ",");
    if (size >= capacity) {
        return false;
    }
    memcpy(ret_item, list, size);
    ret_item[size] = '\0';
    return true;
}

static int list_count(const char *list)
{
    int count = 1;
    for (; *list != '\0'; list++) {
        count += *list == ',';
    }
    return count;
}

static bool is_local(const struct sync_dsn_host *host)
{
    const char *address = host->hostaddr[0] != '\0' ? host->hostaddr : host->host;
    return address[0] == '\0' || address[0] == '/' || address[0] == '@' ||
           sync_config_is_loopback(address);
}

/* One port serves all hosts, otherwise each has its own. */
static sync_status split_hosts(const struct sync_dsn *dsn, const char *setting,
                               struct sync_dsn_hosts *hosts, struct sync_error *err)
{
    const char *counted = dsn->hostaddr[0] != '\0' ? dsn->hostaddr : dsn->host;
    int ports = list_count(dsn->port);
    hosts->count = list_count(counted);
    if (dsn->too_long || hosts->count > SYNC_DB_HOSTS_MAX) {
        return sync_fail_field(err, SYNC_CLASS_FATAL, SYNC_CODE_CONFIG, setting,
                               "%s names more than %d hosts or one that is too long", setting,
                               SYNC_DB_HOSTS_MAX);
    }
    for (int i = 0; i < hosts->count; i++) {
        struct sync_dsn_host *host = &hosts->items[i];
        host->chosen = hosts->count > 1;
        bool fits = list_item(dsn->host, i, sizeof host->host, host->host) &&
                    list_item(dsn->hostaddr, i, sizeof host->hostaddr, host->hostaddr) &&
                    list_item(dsn->port, ports == 1 ? 0 : i, sizeof host->port, host->port);
        bool named =
            host->hostaddr[0] != '\0' || (host->host[0] != '\0' && dsn->hostaddr[0] == '\0');
        if (!fits || (host->chosen && !named)) {
            return sync_fail_field(
                err, SYNC_CLASS_FATAL, SYNC_CODE_CONFIG, setting,
                "%s names a list of hosts with an element that is empty or too long; give each one "
                "a name, and all or none of them an address",
                setting);
        }
    }
    return SYNC_OK;
}

sync_status sync_dsn_hosts_read(const char *text, const char *setting,
                                struct sync_dsn_hosts *ret_hosts, struct sync_error *err)
{
    struct sync_dsn dsn;
    memset(ret_hosts, 0, sizeof *ret_hosts);
    if (getenv("PGPASSWORD") != NULL) {
        return sync_fail_field(
            err, SYNC_CLASS_FATAL, SYNC_CODE_INSECURE, setting,
            "the environment holds PGPASSWORD; put the password into a file and name it in "
            "PGPASSFILE");
    }
    if (!sync_wire_dsn_read(text, &dsn)) {
        return sync_fail_field(
            err, SYNC_CLASS_FATAL, SYNC_CODE_CONFIG, setting,
            "%s is no libpq URI, no keyword string, or names a service that no service file has; "
            "for example \"service=correspondence\"",
            setting);
    }
    if (dsn.has_password) {
        return sync_fail_field(
            err, SYNC_CLASS_FATAL, SYNC_CODE_INSECURE, setting,
            "%s holds a password; put it into a file and name that with passfile=", setting);
    }
    sync_status status = split_hosts(&dsn, setting, ret_hosts, err);
    for (int i = 0; sync_is_ok(status) && i < ret_hosts->count; i++) {
        if (!is_local(&ret_hosts->items[i]) && strcmp(dsn.sslmode, "verify-full") != 0) {
            status = sync_fail_field(
                err, SYNC_CLASS_FATAL, SYNC_CODE_INSECURE, setting,
                "%s leads to an address that is not loopback without verified TLS; set "
                "sslmode=verify-full and sslrootcert there",
                setting);
        }
    }
    return status;
}

sync_status sync_db_dsn_check(const char *dsn, const char *setting, struct sync_error *err)
{
    struct sync_dsn_hosts hosts;
    return sync_dsn_hosts_read(dsn, setting, &hosts, err);
}

sync_status sync_db_dsn_is_loopback(const char *dsn, const char *setting, bool *ret_loopback,
                                    struct sync_error *err)
{
    struct sync_dsn_hosts hosts;
    sync_status status = sync_dsn_hosts_read(dsn, setting, &hosts, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    *ret_loopback = true;
    for (int i = 0; i < hosts.count; i++) {
        *ret_loopback = *ret_loopback && is_local(&hosts.items[i]);
    }
    return SYNC_OK;
}
