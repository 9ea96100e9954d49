/*
 * Shows the order of the layers, the range of every kind of option, every relation, and that each
 * wrong input is one sentence that names place and mend. How: files in a directory of the test,
 * variables of this process.
 */
#include "runtime/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[64];
static struct sync_config config; /* large */
static struct sync_error err;

static const char *write_file(const char *name, const char *text)
{
    static char path[8][128];
    static size_t next;
    char *at = path[next++ % 8];
    (void)snprintf(at, 128, "%s/%s", directory, name);
    FILE *file = fopen(at, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    return at;
}

static int clear(void **state)
{
    (void)state;
    char command[128];
    static const char *const variables[] = {"ALTINN_SYNC_CONFIG",
                                            "ALTINN_SYNC_LOG__LEVEL",
                                            "ALTINN_SYNC_LOG__LEVL",
                                            "ALTINN_SYNC_FOO__BAR",
                                            "ALTINN_SYNC_KAFKA__PROPERTIES",
                                            "ALTINN_SYNC_SERVICE_HOST",
                                            "PGPASSWORD"};
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
        (void)unsetenv(variables[i]);
    }
    (void)snprintf(command, sizeof command, "rm -rf %s/*", directory);
    return system(command);
}

static int make_directory(void **state)
{
    (void)state;
    (void)strcpy(directory, "test_config_XXXXXX");
    return mkdtemp(directory) == NULL;
}

static int remove_directory(void **state)
{
    (void)clear(state);
    return rmdir(directory);
}

static sync_status load(const char *text, bool dev)
{
    struct sync_config_sources sources = {.file_count = 1, .dev = dev};
    sources.files[0] = write_file("a.yaml", text);
    return sync_config_load(&sources, &config, &err);
}

static void must_load(sync_status status)
{
    if (!sync_is_ok(status)) {
        fail_msg("%s", err.text);
    }
}

static void taken(const char *text)
{
    must_load(load(text, false));
}

static void refused(const char *text, enum sync_code code, const char *expected)
{
    memset(&err, 0, sizeof err);
    assert_int_equal(load(text, false).class, SYNC_CLASS_FATAL);
    if (strstr(err.text, expected) == NULL || err.code != code) {
        fail_msg("expected %s \"%s\", got %s \"%s\"", sync_code_word(code), expected,
                 sync_code_word(err.code), err.text);
    }
}

static void no_file_gives_the_defaults(void **state)
{
    (void)state;
    taken("");
    assert_string_equal(config.kafka_bootstrap, "127.0.0.1:9092");
    assert_int_equal(config.batch_bytes_max, 1024 * 1024);
    assert_int_equal(config.held_expected_age_s, 30 * 86400);
    assert_string_equal(config.topics_overlay, "");
    assert_string_equal(config.log_level, "info");
    assert_false(config.dev);
    sync_config_done(&config);
}

static void later_layers_win(void **state)
{
    (void)state;
    struct sync_config_sources sources = {.file_count = 2, .properties = {"linger.ms", "9", NULL}};
    char drop_ins[128];
    sources.files[0] =
        write_file("a.yaml", "log: {level: warn}\nconsumer: {batch_records_max: 1}\n"
                             "kafka: {properties: {linger.ms: 5, client.rack: a}}\n");
    sources.files[1] = write_file("b.yaml", "consumer: {batch_records_max: 2, origin_pool: 2}\n");
    (void)snprintf(drop_ins, sizeof drop_ins, "%s/conf.d", directory);
    assert_int_equal(mkdir(drop_ins, 0700), 0);
    (void)write_file("conf.d/20.yaml", "consumer: {origin_pool: 20}\nlog: {level: error}\n");
    (void)write_file("conf.d/10.yaml", "consumer: {origin_pool: 10}\n");
    (void)write_file("conf.d/note.txt", "this: is: not: yaml");
    (void)write_file("conf.d/.hidden.yaml", "this: is: not: yaml");
    assert_int_equal(setenv("ALTINN_SYNC_LOG__LEVEL", "debug", 1), 0);
    if (!sync_is_ok(sync_config_load(&sources, &config, &err))) {
        fail_msg("%s", err.text);
    }
    assert_int_equal(config.batch_records_max, 2);  /* second file over first */
    assert_int_equal(config.origin_pool, 20);       /* conf.d in the order of names */
    assert_string_equal(config.log_level, "debug"); /* environment over conf.d */
    assert_string_equal(config.kafka_properties[0], "linger.ms");
    assert_string_equal(config.kafka_properties[1], "9"); /* flag over file */
    assert_string_equal(config.kafka_properties[2], "client.rack");
    assert_null(config.kafka_properties[4]);
    sync_config_done(&config);
}

struct seen {
    char origin[64][SYNC_CONFIG_ORIGIN_MAX], value[64][64], name[64][64];
    size_t count;
};

static void see(const char *name, const char *value, const char *origin, const char *help,
                void *context)
{
    struct seen *seen = context;
    assert_true(help[0] != '\0');
    (void)snprintf(seen->name[seen->count], sizeof seen->name[0], "%s", name);
    (void)snprintf(seen->value[seen->count], sizeof seen->value[0], "%s", value);
    (void)snprintf(seen->origin[seen->count], sizeof seen->origin[0], "%s", origin);
    seen->count++;
}

static size_t find(const struct seen *seen, const char *name)
{
    for (size_t i = 0; i < seen->count; i++) {
        if (strcmp(seen->name[i], name) == 0) {
            return i;
        }
    }
    fail_msg("no option %s", name);
    return 0;
}

static void every_value_knows_its_origin(void **state)
{
    (void)state;
    static struct seen seen;
    memset(&seen, 0, sizeof seen);
    assert_int_equal(setenv("ALTINN_SYNC_LOG__LEVEL", "debug", 1), 0);
    taken("consumer:\n  origin_pool: 7\n");
    sync_config_each(&config, see, &seen);
    assert_string_equal(seen.origin[find(&seen, "kafka.bootstrap_servers")], "default");
    assert_string_equal(seen.origin[find(&seen, "log.level")],
                        "environment ALTINN_SYNC_LOG__LEVEL");
    size_t pool = find(&seen, "consumer.origin_pool");
    assert_string_equal(seen.value[pool], "7");
    assert_non_null(strstr(seen.origin[pool], "/a.yaml:2"));
    sync_config_done(&config);
}

static void a_secret_is_read_from_its_file_and_never_shown(void **state)
{
    (void)state;
    static struct seen seen;
    char text[256];
    memset(&seen, 0, sizeof seen);
    const char *path = write_file("password", "hunter2\n");
    assert_int_equal(chmod(path, 0400), 0);
    (void)snprintf(text, sizeof text, "kafka: {properties: {sasl.password_file: %s}}\n", path);
    taken(text);
    assert_string_equal(config.kafka_properties[0], "sasl.password");
    assert_string_equal(config.kafka_properties[1], "hunter2");
    sync_config_each(&config, see, &seen);
    assert_string_equal(seen.value[find(&seen, "kafka.properties.sasl.password")], "********");
    sync_config_done(&config);
}

static void a_secret_file_that_others_may_read_is_refused(void **state)
{
    (void)state;
    char text[256];
    const char *path = write_file("password", "hunter2\n");
    (void)snprintf(text, sizeof text, "kafka: {properties: {sasl.password_file: %s}}\n", path);
    assert_int_equal(chmod(path, 0644), 0);
    refused(text, SYNC_CODE_INSECURE, "run chmod 0440 on it");
    assert_int_equal(chmod(path, 0620), 0);
    refused(text, SYNC_CODE_INSECURE, "run chmod 0440 on it");
    (void)snprintf(text, sizeof text, "capture: {token_file: %s}\n", path);
    refused(text, SYNC_CODE_INSECURE, "capture.token_file");
    assert_null(strstr(err.text, "hunter2"));
}

static void a_secret_file_that_holds_no_one_line_is_refused(void **state)
{
    (void)state;
    char text[256];
    const char *path = write_file("password", "");
    assert_int_equal(chmod(path, 0400), 0);
    (void)snprintf(text, sizeof text, "kafka: {properties: {sasl.password_file: %s}}\n", path);
    refused(text, SYNC_CODE_FILE, "it is empty");
    assert_int_equal(chmod(path, 0600), 0);
    (void)write_file("password", "a\nb\n");
    refused(text, SYNC_CODE_FILE, "one line of text");
    refused("kafka: {properties: {sasl.password_file: /nonexistent}}", SYNC_CODE_FILE,
            "No such file");
    refused("bridge: {token_file: /}", SYNC_CODE_INSECURE, "not a regular file");
}

static void the_identity_in_altinn3_is_a_uuid(void **state)
{
    (void)state;
    refused("authorization: {identity: us}", SYNC_CODE_CONFIG, "36 characters");
    refused("authorization: {identity: 6d3f8a52-1c07-5b7e-9a41-0e2f4c8b7dXX}", SYNC_CODE_CONFIG,
            "takes a UUID");
    refused("authorization: {identity: 00000000-0000-0000-0000-000000000000}", SYNC_CODE_CONFIG,
            "takes a UUID");
}

static sync_status load_client(const char *yaml, const char *client, mode_t mode)
{
    struct sync_config_sources sources = {.file_count = 1,
                                          .properties = {"client.rack", "typed", NULL}};
    sources.files[0] = write_file("a.yaml", yaml);
    sources.client_file = write_file("client.properties", client);
    assert_int_equal(chmod(sources.client_file, mode), 0);
    memset(&err, 0, sizeof err);
    return sync_config_load(&sources, &config, &err);
}

static void refused_client(const char *client, mode_t mode, enum sync_code code,
                           const char *expected)
{
    assert_int_equal(load_client("", client, mode).class, SYNC_CLASS_FATAL);
    if (strstr(err.text, expected) == NULL || err.code != code ||
        strstr(err.text, "hunter2") != NULL) {
        fail_msg("expected %s \"%s\", got %s \"%s\"", sync_code_word(code), expected,
                 sync_code_word(err.code), err.text);
    }
}

static void a_client_file_lies_between_the_file_and_the_typed_property(void **state)
{
    (void)state;
    static struct seen seen;
    memset(&seen, 0, sizeof seen);
    const char *yaml = "kafka: {bootstrap_servers: '127.0.0.2:1', properties: {linger.ms: 5}}";
    must_load(load_client(yaml,
                          "# brokers\nbootstrap.servers=127.0.0.1:9093\nlinger.ms=7\n"
                          "client.rack=a\nsecurity.protocol=SASL_SSL\nsasl.password=hunter2\n",
                          0400));
    assert_string_equal(config.kafka_bootstrap, "127.0.0.1:9093");
    sync_config_each(&config, see, &seen);
    size_t brokers = find(&seen, "kafka.bootstrap_servers");
    assert_non_null(strstr(seen.origin[brokers], "/client.properties:2"));
    assert_string_equal(seen.value[find(&seen, "kafka.properties.linger.ms")], "7");
    size_t rack = find(&seen, "kafka.properties.client.rack");
    assert_string_equal(seen.value[rack], "typed");
    assert_string_equal(seen.origin[rack], "flag -X");
    size_t password = find(&seen, "kafka.properties.sasl.password");
    assert_string_equal(seen.value[password], "********");
    assert_non_null(strstr(seen.origin[password], "/client.properties:6"));
    sync_config_done(&config);
}

static void a_secret_in_a_client_file_needs_a_file_of_our_own(void **state)
{
    (void)state;
    refused_client("sasl.password=hunter2\n", 0444, SYNC_CODE_INSECURE,
                   "/client.properties:1: read ");
    refused_client("a=1\nsasl.password=hunter2\n", 0600, SYNC_CODE_CONFIG, ":1: ");
    refused_client("\nssl.key.password=hunter2\n", 0620, SYNC_CODE_INSECURE, "chmod 0440");
    must_load(load_client("", "client.id=x\n", 0444)); /* nothing secret in it */
    sync_config_done(&config);
    must_load(load_client("", "ssl.key.password=hunter2\n", 0440));
    sync_config_done(&config);
}

static void a_client_file_changes_no_rule_of_security(void **state)
{
    (void)state;
    refused_client("bootstrap.servers=broker.example:9092\n", 0400, SYNC_CODE_INSECURE,
                   "/client.properties:1: kafka.bootstrap_servers leads to another machine in "
                   "plaintext");
    refused_client("bootstrap.servers=broker.example:9092\nsecurity.protocol=SASL_PLAINTEXT\n",
                   0400, SYNC_CODE_INSECURE, "in plaintext");
    refused_client("ssl.endpoint.identification.algorithm=none\n", 0400, SYNC_CODE_INSECURE,
                   "certificate or name");
    refused_client("ssl.endpoint.identification.algorithm=\n", 0400, SYNC_CODE_CONFIG,
                   "cannot be set to empty value");
    refused_client("plugin.library.paths=/tmp/x\n", 0400, SYNC_CODE_CONFIG, ":1: ");
}

static void a_wrong_line_of_a_client_file_is_named_with_its_mend(void **state)
{
    (void)state;
    refused_client("# x\nsasl.usernam=me\n", 0400, SYNC_CODE_CONFIG,
                   "/client.properties:2: the client has no property "
                   "sasl.usernam; did you mean sasl.username?");
    refused_client("ssl.truststore.location=/x.jks\n", 0400, SYNC_CODE_CONFIG,
                   "/client.properties:1: ssl.truststore.location is a property "
                   "of the Java client; write ssl.ca.location");
    refused_client("sasl.jaas.config=x required username=\"u\" password=\"hunter2\";\n", 0400,
                   SYNC_CODE_CONFIG, "; write sasl.username and sasl.password");
    refused_client("group.id=mine\n", 0400, SYNC_CODE_CONFIG, "group.id has its own option");
    refused_client("bootstrap.servers=\n", 0400, SYNC_CODE_CONFIG, "/client.properties:1: ");
    refused_client("a=1\na=2\n", 0400, SYNC_CODE_CONFIG, ":1: ");
    struct sync_config_sources sources = {.client_file = "/nonexistent/client.properties"};
    assert_int_equal(sync_config_load(&sources, &config, &err).class, SYNC_CLASS_FATAL);
    assert_int_equal(err.code, SYNC_CODE_FILE);
    assert_string_equal(err.text, "read /nonexistent/client.properties: No such file or directory");
}

static void the_command_endpoint_is_a_path(void **state)
{
    (void)state;
    refused("bridge: {delegation_command_path: commands}", SYNC_CODE_CONFIG, "begins with /");
    refused("bridge: {delegation_command_path: /commands?x=1}", SYNC_CODE_CONFIG, "no query");
}

static void a_secret_in_plain_sight_is_refused(void **state)
{
    (void)state;
    refused("kafka: {properties: {sasl.password: x}}", SYNC_CODE_INSECURE,
            "kafka.properties.sasl.password_file");
    refused("kafka: {properties: {ssl.key.pem: x}}", SYNC_CODE_INSECURE, "put it into a file");
    refused("kafka: {properties: {sasl.oauthbearer.client.secret: x}}", SYNC_CODE_INSECURE,
            "into a file");
    refused("database: {dsn: 'postgresql://u:p@127.0.0.1/d'}", SYNC_CODE_INSECURE, "passfile=");
    refused("database: {dsn: 'postgresql://127.0.0.1/d?password=x'}", SYNC_CODE_INSECURE,
            "passfile=");
    refused("database: {dsn: 'host=/tmp password = x'}", SYNC_CODE_INSECURE, "passfile=");
    assert_int_equal(setenv("PGPASSWORD", "x", 1), 0);
    refused("", SYNC_CODE_INSECURE, "PGPASSFILE");
}

static void unknown_keys_are_refused_with_place_and_the_nearest_name(void **state)
{
    (void)state;
    refused("kafka:\n  bootstrap_server: x\n", SYNC_CODE_UNKNOWN_KEY,
            "/a.yaml:2:3: there is no setting kafka.bootstrap_server; did you mean "
            "kafka.bootstrap_servers?");
    refused("kafak: {}", SYNC_CODE_UNKNOWN_KEY,
            "/a.yaml:1:1: there is no setting kafak; did you mean kafka?");
    refused("zzzzzzzz: {}", SYNC_CODE_UNKNOWN_KEY, "config show");
    refused("log: {zzzzzzzzzz: 1}", SYNC_CODE_UNKNOWN_KEY, "log.zzzzzzzzzz");
    assert_int_equal(setenv("ALTINN_SYNC_LOG__LEVL", "x", 1), 0);
    refused("", SYNC_CODE_UNKNOWN_KEY,
            "environment ALTINN_SYNC_LOG__LEVL: there is no setting log.levl");
    assert_int_equal(unsetenv("ALTINN_SYNC_LOG__LEVL"), 0);
    assert_int_equal(setenv("ALTINN_SYNC_FOO__BAR", "x", 1), 0);
    refused("", SYNC_CODE_UNKNOWN_KEY, "environment ALTINN_SYNC_FOO__BAR");
}

static void variables_that_a_cluster_sets_are_left_alone(void **state)
{
    (void)state;
    assert_int_equal(setenv("ALTINN_SYNC_SERVICE_HOST", "10.0.0.1", 1), 0);
    taken("");
    sync_config_done(&config);
}

static void values_of_the_wrong_shape_are_refused(void **state)
{
    (void)state;
    refused("[1]", SYNC_CODE_CONFIG, "a map of sections");
    refused("kafka: 3", SYNC_CODE_CONFIG, "kafka must be a map of settings");
    refused("kafka: {bootstrap_servers: [a]}", SYNC_CODE_CONFIG, "must be one value");
    refused("kafka: {bootstrap_servers: }", SYNC_CODE_CONFIG, "write \"\" for none");
    refused("kafka: {properties: 3}", SYNC_CODE_CONFIG, "a map of properties");
    refused("kafka: {properties: {a: {b: 1}}}", SYNC_CODE_CONFIG, "must be one value");
    refused("a: [", SYNC_CODE_SYNTAX, "/a.yaml:");
    assert_int_equal(setenv("ALTINN_SYNC_KAFKA__PROPERTIES", "x", 1), 0);
    refused("", SYNC_CODE_CONFIG, "is a map");
}

static void values_outside_their_range_are_refused(void **state)
{
    (void)state;
    refused("consumer: {batch_records_max: 0}", SYNC_CODE_CONFIG, "it takes 1 to 1000 records");
    refused("consumer: {batch_records_max: 1001}", SYNC_CODE_CONFIG, "1 to 1000");
    refused("consumer: {batch_records_max: 5s}", SYNC_CODE_CONFIG, "1 to 1000");
    refused("consumer: {batch_records_max: 99999999999999999999}", SYNC_CODE_CONFIG, "1 to 1000");
    refused("consumer: {batch_bytes_max: 2GiB}", SYNC_CODE_CONFIG, "for example 1MiB");
    refused("consumer: {batch_bytes_max: 1MB}", SYNC_CODE_CONFIG, "for example 1MiB");
    refused("bridge: {timeout_ms: -1}", SYNC_CODE_CONFIG, "or a duration such as PT30S");
    refused("consumer: {held_unknown_age_s: 1500ms}", SYNC_CODE_CONFIG, "held_unknown_age_s");
    refused("log: {level: loud}", SYNC_CODE_CONFIG, "debug | info | warn | error");
    refused("log: {level: ''}", SYNC_CODE_CONFIG, "debug | info");
    refused("decision_log: {mode: fu}", SYNC_CODE_CONFIG, "full | sampled | off");
    refused("capture: {slot: A-b}", SYNC_CODE_CONFIG, "lower-case letters");
    refused("http: {listen: '9464'}", SYNC_CODE_CONFIG, "host:port");
    refused("http: {listen: '::1:80'}", SYNC_CODE_CONFIG, "host:port");
    refused("http: {listen: '127.0.0.1:70000'}", SYNC_CODE_CONFIG, "host:port");
    refused("kafka: {bootstrap_servers: ''}", SYNC_CODE_CONFIG, "it takes a value");
}

static void sizes_and_durations_are_taken_in_every_spelling(void **state)
{
    (void)state;
    taken(
        "consumer: {batch_bytes_max: 512KiB, adoption_interval_ms: PT2S, held_unknown_age_s: 2h,\n"
        "  outbox_keep_days: P7D, housekeeping_interval_ms: 500ms}\n");
    assert_int_equal(config.batch_bytes_max, 512 * 1024);
    assert_int_equal(config.adoption_interval_ms, 2000);
    assert_int_equal(config.held_unknown_age_s, 7200);
    assert_int_equal(config.outbox_keep_days, 7);
    assert_int_equal(config.housekeeping_interval_ms, 500);
    sync_config_done(&config);
}

static void relations_answer_with_a_sentence_and_the_place(void **state)
{
    (void)state;
    refused("kafka: {session_timeout_ms: 30s}", SYNC_CODE_CONFIG, "set it to 20000 or less");
    refused("http: {listen: '127.0.0.1:8081'}", SYNC_CODE_CONFIG, "the same address");
    refused("schemas: {registry_url: 'https://x'}", SYNC_CODE_CONFIG, "schemas.dir only");
    assert_non_null(strstr(err.text, "/a.yaml:1: "));
    refused("kafka: {bootstrap_servers: 'a'}", SYNC_CODE_CONFIG, "host:port with commas");
    refused("bridge: {base_url: 'ftp://x'}", SYNC_CODE_CONFIG, "https://host/path");
    refused("bridge: {base_url: 'https://u:p@x'}", SYNC_CODE_CONFIG, "without user");
    refused("bridge: {base_url: 'https://'}", SYNC_CODE_CONFIG, "https://host/path");
}

static void plaintext_to_another_machine_is_refused(void **state)
{
    (void)state;
    refused("kafka: {bootstrap_servers: '192.0.2.1:9092'}", SYNC_CODE_INSECURE,
            "kafka.bootstrap_servers leads");
    refused("kafka: {bootstrap_servers: '127.0.0.1:9092,192.0.2.1:9092'}", SYNC_CODE_INSECURE,
            "sasl_ssl");
    refused("kafka: {bootstrap_servers: '192.0.2.1:9092', properties: {security.protocol: "
            "sasl_plaintext}}",
            SYNC_CODE_INSECURE, "in plaintext");
    refused("bridge: {base_url: 'http://192.0.2.1/x'}", SYNC_CODE_INSECURE, "use https");
    refused("bridge: {base_url: 'http://[2001:db8::1]/x'}", SYNC_CODE_INSECURE, "use https");
    refused("capture: {listen: '0.0.0.0:8081'}", SYNC_CODE_INSECURE, "capture.token_file");
    taken("kafka: {bootstrap_servers: '192.0.2.1:9092', properties: {security.protocol: SSL}}");
    assert_false(config.loopback);
    sync_config_done(&config);
}

static void checks_of_certificates_cannot_be_switched_off(void **state)
{
    (void)state;
    refused("kafka: {properties: {enable.ssl.certificate.verification: false}}", SYNC_CODE_INSECURE,
            "ssl.ca.location");
    refused("kafka: {properties: {ssl.endpoint.identification.algorithm: none}}",
            SYNC_CODE_INSECURE, "ssl.ca.location");
    refused("kafka: {bootstrap_servers: '192.0.2.1:1', properties: {security.protocol: ssl, debug: "
            "all}}",
            SYNC_CODE_INSECURE, "kafka.properties.debug");
}

static void dev_lays_the_overlay_and_needs_loopback(void **state)
{
    (void)state;
    assert_true(sync_is_ok(load("database: {dsn: 'host=/tmp dbname=x'}", true)));
    assert_true(config.dev);
    assert_true(config.loopback);
    assert_string_equal(config.topics_overlay, "topics.dev.yaml");
    sync_config_done(&config);
    assert_true(sync_is_ok(load("topics: {file: /a/b.yaml}", true)));
    assert_string_equal(config.topics_overlay, "/a/b.dev.yaml");
    sync_config_done(&config);
    assert_true(sync_is_ok(load("topics: {overlay: c.yaml}", true)));
    assert_string_equal(config.topics_overlay, "c.yaml");
    sync_config_done(&config);
    assert_int_equal(load("http: {listen: '0.0.0.0:1'}", true).class, SYNC_CLASS_FATAL);
    assert_non_null(strstr(err.text, "--dev is refused, because http.listen is not loopback"));
    assert_int_equal(load("database: {dsn: 'host=192.0.2.1 sslmode=verify-full'}", true).class,
                     SYNC_CLASS_FATAL);
    assert_non_null(strstr(err.text, "--dev is refused, because database.dsn is not loopback"));
}

static void the_file_is_chosen_by_flag_then_variable(void **state)
{
    (void)state;
    struct sync_config_sources none = {0};
    assert_int_equal(setenv("ALTINN_SYNC_CONFIG", write_file("v.yaml", "log: {level: warn}"), 1),
                     0);
    assert_true(sync_is_ok(sync_config_load(&none, &config, &err)));
    assert_string_equal(config.log_level, "warn");
    sync_config_done(&config);
    taken("log: {level: error}");
    assert_string_equal(config.log_level, "error");
    sync_config_done(&config);
    assert_int_equal(setenv("ALTINN_SYNC_CONFIG", "/nonexistent.yaml", 1), 0);
    assert_int_equal(sync_config_load(&none, &config, &err).class, SYNC_CLASS_FATAL);
    assert_int_equal(err.code, SYNC_CODE_FILE);
}

static void loopback_is_every_address_of_the_host(void **state)
{
    (void)state;
    assert_true(sync_config_is_loopback("127.0.0.1"));
    assert_true(sync_config_is_loopback("127.8.9.10"));
    assert_true(sync_config_is_loopback("::1"));
    assert_true(sync_config_is_loopback("::ffff:127.0.0.1"));
    assert_true(sync_config_is_loopback("/var/run/postgresql"));
    assert_true(sync_config_is_loopback("localhost"));
    assert_false(sync_config_is_loopback(""));
    assert_false(sync_config_is_loopback("0.0.0.0"));
    assert_false(sync_config_is_loopback("::"));
    assert_false(sync_config_is_loopback("192.0.2.1"));
    assert_false(sync_config_is_loopback("::ffff:192.0.2.1"));
    assert_false(sync_config_is_loopback("128.0.0.1"));
}

#define TEST(name) cmocka_unit_test_setup(name, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(no_file_gives_the_defaults),
        TEST(later_layers_win),
        TEST(every_value_knows_its_origin),
        TEST(a_secret_is_read_from_its_file_and_never_shown),
        TEST(a_secret_file_that_others_may_read_is_refused),
        TEST(a_secret_file_that_holds_no_one_line_is_refused),
        TEST(the_identity_in_altinn3_is_a_uuid),
        TEST(the_command_endpoint_is_a_path),
        TEST(a_client_file_lies_between_the_file_and_the_typed_property),
        TEST(a_secret_in_a_client_file_needs_a_file_of_our_own),
        TEST(a_client_file_changes_no_rule_of_security),
        TEST(a_wrong_line_of_a_client_file_is_named_with_its_mend),
        TEST(a_secret_in_plain_sight_is_refused),
        TEST(unknown_keys_are_refused_with_place_and_the_nearest_name),
        TEST(variables_that_a_cluster_sets_are_left_alone),
        TEST(values_of_the_wrong_shape_are_refused),
        TEST(values_outside_their_range_are_refused),
        TEST(sizes_and_durations_are_taken_in_every_spelling),
        TEST(relations_answer_with_a_sentence_and_the_place),
        TEST(plaintext_to_another_machine_is_refused),
        TEST(checks_of_certificates_cannot_be_switched_off),
        TEST(dev_lays_the_overlay_and_needs_loopback),
        TEST(the_file_is_chosen_by_flag_then_variable),
        TEST(loopback_is_every_address_of_the_host),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
