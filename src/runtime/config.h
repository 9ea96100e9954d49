/*
 * Effective settings of one process: defaults < file(s) < conf.d < environment < flags. One row per option
 * (config.c); relations are checked in one function that answers with a sentence.
 */
#ifndef SYNC_RUNTIME_CONFIG_H
#define SYNC_RUNTIME_CONFIG_H
#include <altinn_sync/status.h>
#include <stdbool.h>
#include <stdint.h>

#define SYNC_CONFIG_TEXT_MAX 1024
#define SYNC_CONFIG_FILES_MAX 8
#define SYNC_CONFIG_PROPERTIES_MAX 64

struct sync_config {
    bool dev; /* --dev */
    char kafka_bootstrap[SYNC_CONFIG_TEXT_MAX];
    const char *kafka_properties[2 * SYNC_CONFIG_PROPERTIES_MAX + 1]; /* name, value, …, NULL */
    char database_dsn[SYNC_CONFIG_TEXT_MAX];
    char topics_file[SYNC_CONFIG_TEXT_MAX];
    char topics_overlay[SYNC_CONFIG_TEXT_MAX]; /* topics.dev.yaml with --dev, else empty or topics.overlay */
    char schemas_dir[SYNC_CONFIG_TEXT_MAX];
    char http_listen[SYNC_CONFIG_TEXT_MAX];
    int64_t batch_records_max, batch_bytes_max, ring_bytes_max;
    char consumer_start[64]; /* earliest | latest */
    int64_t origin_pool;
    int64_t adoption_interval_ms, held_unknown_age_s, held_expected_age_s, housekeeping_interval_ms;
    int64_t echo_expected_s, outbox_keep_days;
    int64_t session_timeout_ms; /* kafka session, part of the convergence sum */
    char capture_slot[64], capture_publication[64];
    char capture_listen[SYNC_CONFIG_TEXT_MAX];
    char capture_token_file[SYNC_CONFIG_TEXT_MAX];
    int64_t capture_heartbeat_ms;
    char bridge_base_url[SYNC_CONFIG_TEXT_MAX]; /* empty: no route to Altinn 2 */
    int64_t bridge_timeout_ms, bridge_connections_max;
    char bridge_token_file[SYNC_CONFIG_TEXT_MAX];
    char park_seal_key_file[SYNC_CONFIG_TEXT_MAX];
    char decision_mode[16]; /* full | sampled | off */
    int64_t decision_keep_days;
    char log_level[16];
};

/* What the command line gave. */
struct sync_config_sources {
    const char *files[SYNC_CONFIG_FILES_MAX];
    int file_count;
    const char *properties[2 * SYNC_CONFIG_PROPERTIES_MAX + 1]; /* -X */
    bool dev;
};
/* Fails: FATAL config, unknown_key, insecure or file; the text names file:line:column and the mend. */
sync_status sync_config_load(const struct sync_config_sources *sources, struct sync_config *ret_config, struct sync_error *err);

/* For "config show": calls back per option, in order. origin: "default", "altinn-sync.yaml:3", "environment". */
void sync_config_each(const struct sync_config *config, void (*each)(const char *name, const char *value, const char *origin, const char *help, void *context), void *context);

/* True when every address of a host is loopback or a path of a Unix socket. */
bool sync_config_is_loopback(const char *host);
#endif
