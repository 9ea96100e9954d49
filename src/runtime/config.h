/*
 * Effective settings of one process: defaults < file(s) < conf.d < environment < flags. One row per
 * option (config.c); relations are checked in one function that answers with a sentence
 * (config_check.c).
 */
#ifndef SYNC_RUNTIME_CONFIG_H
#define SYNC_RUNTIME_CONFIG_H
#include <altinn_sync/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SYNC_CONFIG_TEXT_MAX       1024
#define SYNC_CONFIG_FILES_MAX      8
#define SYNC_CONFIG_PROPERTIES_MAX 64
#define SYNC_CONFIG_OPTIONS_MAX    56
#define SYNC_CONFIG_ORIGIN_MAX     160

struct sync_config {
    bool dev;      /* --dev */
    bool loopback; /* every endpoint (broker, database, bridge) is this machine */
    char kafka_bootstrap[SYNC_CONFIG_TEXT_MAX];
    const char *kafka_properties[2 * SYNC_CONFIG_PROPERTIES_MAX + 1]; /* name, value, …, NULL */
    char database_dsn[SYNC_CONFIG_TEXT_MAX];               /* home correspondence; empty: none */
    char database_authorization_dsn[SYNC_CONFIG_TEXT_MAX]; /* home authorization; empty: none */
    char topics_file[SYNC_CONFIG_TEXT_MAX];
    char topics_overlay[SYNC_CONFIG_TEXT_MAX]; /* topics.dev.yaml with --dev, else empty or
                                                  topics.overlay */
    char schemas_dir[SYNC_CONFIG_TEXT_MAX];
    char schemas_registry_url[SYNC_CONFIG_TEXT_MAX]; /* must be empty in this version */
    char http_listen[SYNC_CONFIG_TEXT_MAX];
    int64_t batch_records_max, batch_bytes_max, ring_bytes_max;
    char consumer_start[64]; /* earliest | latest */
    int64_t origin_pool;
    int64_t adoption_interval_ms, held_unknown_age_s, held_expected_age_s, held_age_s;
    int64_t housekeeping_interval_ms;
    int64_t echo_expected_s, outbox_keep_days;
    int64_t session_timeout_ms; /* kafka session, part of the convergence sum */
    char capture_slot[64], capture_publication[64];
    char capture_delegation_slot[64], capture_delegation_publication[64];
    char capture_listen[SYNC_CONFIG_TEXT_MAX];
    char capture_token_file[SYNC_CONFIG_TEXT_MAX];
    int64_t capture_heartbeat_ms;
    char capture_export_path_prefix[SYNC_CONFIG_TEXT_MAX];
    int64_t capture_altinn2_own_user_id;     /* 0 = none */
    char capture_altinn2_own_party_uuid[40]; /* a UUID; "" = none */
    int64_t capture_feed_poll_ms, capture_feed_overlap_ms;
    char capture_feed_start_link[SYNC_CONFIG_TEXT_MAX]; /* "" = the whole feed by one reader */
    char bridge_base_url[SYNC_CONFIG_TEXT_MAX];         /* empty: no route to Altinn 2 */
    char bridge_delegation_command_path[SYNC_CONFIG_TEXT_MAX]; /* empty: no such endpoint */
    int64_t bridge_timeout_ms, bridge_connections_max;
    char bridge_token_file[SYNC_CONFIG_TEXT_MAX];
    char park_seal_key_file[SYNC_CONFIG_TEXT_MAX];
    char data_dir[SYNC_CONFIG_TEXT_MAX];
    char authorization_identity[40]; /* a UUID */
    char decision_mode[16];          /* full | sampled | off */
    int64_t decision_keep_days;
    char log_level[16];
    /* Where each value comes from, for people; by the row of the option and by the pair of the
     * property. */
    char origins[SYNC_CONFIG_OPTIONS_MAX][SYNC_CONFIG_ORIGIN_MAX];
    char property_origins[SYNC_CONFIG_PROPERTIES_MAX][SYNC_CONFIG_ORIGIN_MAX];
    bool property_secret[SYNC_CONFIG_PROPERTIES_MAX]; /* read from a *_file key: never shown */
};

/* What the command line gave. */
struct sync_config_sources {
    const char *files[SYNC_CONFIG_FILES_MAX];
    int file_count;
    const char *client_file;                                    /* -F; NULL = none */
    const char *properties[2 * SYNC_CONFIG_PROPERTIES_MAX + 1]; /* -X */
    bool dev;
};

/*
 * Gathers all layers and checks them. Without -c the file is ALTINN_SYNC_CONFIG, else
 * altinn-sync.yaml in the working directory where it exists, else none. Paths are relative to the
 * working directory. Owns:   the caller ends ret_config with sync_config_done. Blocks: no, but for
 * the file system and the look-up of host names. Fails:  FATAL config, unknown_key, insecure,
 * syntax or file; the text names file:line:column (or the environment variable, or the flag) and
 * the mend.
 */
sync_status sync_config_load(const struct sync_config_sources *sources,
                             struct sync_config *ret_config, struct sync_error *err);
/* Wipes and frees the properties. */
void sync_config_done(struct sync_config *config);

/*
 * For "config show": calls back per option, in order, then per Kafka property. origin: "default",
 * "altinn-sync.yaml:3", "environment ALTINN_SYNC_LOG__LEVEL", "flag -X". Secrets come masked.
 */
void sync_config_each(const struct sync_config *config,
                      void (*each)(const char *name, const char *value, const char *origin,
                                   const char *help, void *context),
                      void *context);

/* The number of an option in the unit of its name. False when there is no such option. */
bool sync_config_number(const struct sync_config *config, const char *section, const char *key,
                        int64_t *ret_number);
/* True when every address of a host is loopback or a path of a Unix socket. */
bool sync_config_is_loopback(const char *host);
/* "host:port", "[::1]:0" -> parts. False when malformed. */
bool sync_config_split_address(const char *address, char *ret_host, size_t host_size,
                               int *ret_port);
#endif
