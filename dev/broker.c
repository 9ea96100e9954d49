/*
 * The embedded broker of demo and tests as a process of its own: librdkafka's mock cluster with
 * explicit topics. It keeps everything in memory, so a restart is an empty broker with another
 * cluster id; consumers on it run with --dev. Not here: a substitute for Apache Kafka
 * (dev/kafka.sh).
 */
#include <errno.h>
#include <getopt.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <runtime/topics.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TOPICS_MAX     64
#define PARTITIONS_MAX 256 /* sync_kafka_event holds as many */
#define BROKER_ID      1

struct topic {
    char name[128];
    int partitions;
};

struct options {
    const char *address_file;
    struct topic topics[TOPICS_MAX];
    int topic_count;
};

static int parse_options(int argc, char **argv, struct options *ret_options);
static int write_address(const char *path, const char *address);
static int create_topics(rd_kafka_mock_cluster_t *cluster, const struct options *options);
static void serve(rd_kafka_mock_cluster_t *cluster, const sigset_t *signals);
static rd_kafka_t *new_handle(void);

int main(int argc, char **argv)
{
    static struct options options;
    int code = parse_options(argc, argv, &options);
    if (code != 0) {
        return code == -1 ? 0 : code;
    }
    /* Blocked before librdkafka makes threads, so that they inherit it and sigwait gets every
     * signal. */
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGUSR1);
    sigaddset(&signals, SIGUSR2);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL); /* fails for unknown numbers only */

    rd_kafka_t *handle = new_handle();
    rd_kafka_mock_cluster_t *cluster = handle ? rd_kafka_mock_cluster_new(handle, 1) : NULL;
    if (!cluster) {
        fprintf(stderr, "dev-broker: start the mock cluster: no memory or no free port\n");
        return 1;
    }
    const char *address = rd_kafka_mock_cluster_bootstraps(cluster);
    if (create_topics(cluster, &options) != 0 ||
        (options.address_file && write_address(options.address_file, address) != 0)) {
        return 1;
    }
    printf("{\"msg\":\"ready\",\"component\":\"dev-broker\",\"bootstrap_servers\":\"%s\","
           "\"topics\":%d}\n",
           address, options.topic_count);
    fflush(stdout);
    serve(cluster, &signals);
    rd_kafka_mock_cluster_destroy(cluster);
    rd_kafka_destroy(handle);
    return 0;
}

static rd_kafka_t *new_handle(void)
{
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    /* The mock cluster logs each connection that a killed client leaves behind; errors are enough.
     */
    (void)rd_kafka_conf_set(conf, "log_level", "3", text, sizeof text);
    return rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
}

/* SIGUSR1 makes the broker unreachable, SIGUSR2 reachable again with all it held; SIGTERM ends it.
 */
static void serve(rd_kafka_mock_cluster_t *cluster, const sigset_t *signals)
{
    for (;;) {
        int number = 0;
        if (sigwait(signals, &number) != 0 || number == SIGTERM || number == SIGINT) {
            return;
        }
        rd_kafka_resp_err_t failure = number == SIGUSR1
                                          ? rd_kafka_mock_broker_set_down(cluster, BROKER_ID)
                                          : rd_kafka_mock_broker_set_up(cluster, BROKER_ID);
        printf("{\"msg\":\"%s\",\"component\":\"dev-broker\",\"failed\":%s}\n",
               number == SIGUSR1 ? "down" : "up", failure ? "true" : "false");
        fflush(stdout);
    }
}

static int create_topics(rd_kafka_mock_cluster_t *cluster, const struct options *options)
{
    for (int i = 0; i < options->topic_count; i++) {
        const struct topic *topic = &options->topics[i];
        rd_kafka_resp_err_t failure =
            rd_kafka_mock_topic_create(cluster, topic->name, topic->partitions, 1);
        if (failure) {
            fprintf(stderr, "dev-broker: create topic %s with %d partitions: %s\n", topic->name,
                    topic->partitions, rd_kafka_err2str(failure));
            return 1;
        }
    }
    return 0;
}

/* Renamed into place: whoever waits for the file never reads half an address. */
static int write_address(const char *path, const char *address)
{
    char temporary[4096];
    int size = snprintf(temporary, sizeof temporary, "%s.new", path);
    if (size < 0 || (size_t)size >= sizeof temporary) {
        fprintf(stderr, "dev-broker: --address-file: the path is too long\n");
        return 1;
    }
    FILE *file = fopen(temporary, "w");
    if (!file) {
        fprintf(stderr, "dev-broker: open %s: %s\n", temporary, strerror(errno));
        return 1;
    }
    int written = fprintf(file, "%s\n", address);
    if (fclose(file) != 0 || written < 0 || rename(temporary, path) != 0) {
        fprintf(stderr, "dev-broker: write %s: %s\n", path, strerror(errno));
        return 1;
    }
    return 0;
}

static int add_topic(struct options *options, const char *name, size_t name_size, long partitions)
{
    struct topic *topic = &options->topics[options->topic_count];
    if (options->topic_count == TOPICS_MAX) {
        fprintf(stderr, "dev-broker: more than %d topics\n", TOPICS_MAX);
        return 2;
    }
    if (name_size == 0 || name_size >= sizeof topic->name || partitions < 1 ||
        partitions > PARTITIONS_MAX) {
        fprintf(stderr,
                "dev-broker: topic %.*s: write NAME:PARTITIONS with 1 to %d partitions and a name "
                "below %zu characters\n",
                (int)name_size, name, PARTITIONS_MAX, sizeof topic->name);
        return 2;
    }
    memcpy(topic->name, name, name_size);
    topic->name[name_size] = '\0';
    topic->partitions = (int)partitions;
    options->topic_count++;
    return 0;
}

static int add_topic_argument(struct options *options, const char *text)
{
    const char *colon = strrchr(text, ':');
    char *end = NULL;
    long partitions = colon ? strtol(colon + 1, &end, 10) : 0;
    if (!colon || end == colon + 1 || *end != '\0') {
        partitions = 0;
    }
    return add_topic(options, text, colon ? (size_t)(colon - text) : strlen(text), partitions);
}

/* Files are a comma list: later ones are laid over earlier ones, as topics validate -f does it. */
static int add_topic_files(struct options *options, char *list)
{
    const char *paths[SYNC_TOPICS_FILES_MAX];
    size_t count = 0;
    for (char *rest = list; rest && count < SYNC_TOPICS_FILES_MAX;) {
        paths[count++] = strsep(&rest, ",");
    }
    struct sync_topics *topics = NULL;
    struct sync_error err;
    if (!sync_is_ok(sync_topics_load(paths, count, &topics, NULL, &err))) {
        fprintf(stderr, "dev-broker: %s\n", err.text);
        return 2;
    }
    int code = 0;
    for (size_t i = 0; i < topics->count && code == 0; i++) {
        if (topics->items[i].state == SYNC_TOPIC_PRESENT) {
            code = add_topic(options, topics->items[i].name, strlen(topics->items[i].name),
                             topics->items[i].partitions);
        }
    }
    free(topics);
    return code;
}

static const char help[] =
    "usage: dev-broker [--topics FILE[,FILE]…] [--topic NAME:PARTITIONS]… [--address-file FILE]\n"
    "\n"
    "Serves an in-memory Kafka on a free loopback port until SIGTERM. The address is printed in "
    "one\n"
    "JSON line and written to FILE. Topics are made at start, those of topics.yaml and its "
    "overlays\n"
    "with --topics; a client that names another one gets a new topic with 4 partitions. SIGUSR1\n"
    "makes the broker unreachable, SIGUSR2 reachable again.\n";

/* 0 go on, -1 help was asked for, 2 wrong usage. */
static int parse_options(int argc, char **argv, struct options *ret_options)
{
    static const struct option table[] = {
        {"topics", required_argument, NULL, 'f'},
        {"topic", required_argument, NULL, 't'},
        {"address-file", required_argument, NULL, 'a'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    for (int letter = 0; (letter = getopt_long(argc, argv, "h", table, NULL)) != -1;) {
        int code = letter == '?' ? 2 : 0;
        if (letter == 'h') {
            fputs(help, stdout);
            return -1;
        }
        if (letter == 'a') {
            ret_options->address_file = optarg;
        }
        if (letter == 'f') {
            code = add_topic_files(ret_options, optarg);
        }
        if (letter == 't') {
            code = add_topic_argument(ret_options, optarg);
        }
        if (code != 0) {
            return code;
        }
    }
    if (optind != argc || ret_options->topic_count == 0) {
        fprintf(stderr, "dev-broker: name at least one topic, and nothing but flags; see --help\n");
        return 2;
    }
    return 0;
}
