/* JSON lines to records on a topic. Not here: making up acts. */
#include "producer.h"

#include <getopt.h>
#include <inttypes.h>
#include <runtime/clock.h>
#include <runtime/log.h>
#include <stdio.h>
#include <stdlib.h>

#define LINE_BYTES_MAX (3 * 1024 * 1024) /* hex of a value that is just too large */
#define ARENA_BYTES    (256 * 1024)
#define DELIVERY_MS    120000 /* a broker that is killed or starved comes back within it */
#define MARKS_MS       5000

struct options {
    const char *bootstrap, *topic, *schemas, *file;
    double rate; /* records per second; 0 = as fast as they come */
};

struct producer {
    const struct producer_kind *kind;
    struct options options;
    struct sync_kafka_producer *kafka;
    const struct sync_schema *schema;
    struct sync_arena arena;
    uint64_t sent, delivered, failed;
};

static void on_delivered(void *context, void *tag, bool stored, const struct sync_error *err)
{
    struct producer *p = context;
    (void)tag;
    p->delivered += stored;
    p->failed += !stored;
    if (!stored) {
        (void)fprintf(stderr, "%s: %s\n", p->kind->name, err->text);
    }
}

/* Fields -------------------------------------------------------------------------------------- */

const struct sync_json *producer_value(const struct sync_json *object, const char *name)
{
    const struct sync_json *value = sync_json_get(object, name);
    return value != NULL && sync_json_type_of(value) != SYNC_JSON_NULL ? value : NULL;
}

int64_t producer_integer(const struct sync_json *object, const char *name)
{
    const struct sync_json *value = producer_value(object, name);
    return value != NULL ? sync_json_integer(value) : 0;
}

bool producer_uuid(const struct sync_json *object, const char *name, struct sync_uuid *ret_id)
{
    const struct sync_json *value = producer_value(object, name);
    return value != NULL && sync_uuid_parse(sync_json_text(value), ret_id);
}

bool producer_is(const struct sync_json *object, const char *name, const char *word)
{
    const struct sync_json *value = producer_value(object, name);
    return value != NULL && sync_bytes_equal(sync_json_text(value), sync_bytes_text(word));
}

/* Lines --------------------------------------------------------------------------------------- */

static int digit(uint8_t character)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = strchr(digits, character);
    return character != '\0' && at != NULL ? (int)(at - digits) : -1;
}

/* Raw bytes of a poison, in place of the text; false when it is no lower-case hex. */
static bool hex_of(struct sync_bytes text, struct sync_bytes *ret_bytes)
{
    static uint8_t bytes[LINE_BYTES_MAX / 2];
    if (text.size % 2 != 0 || text.size / 2 > sizeof bytes) {
        return false;
    }
    for (size_t i = 0; i < text.size; i += 2) {
        int high = digit(text.data[i]);
        int low = digit(text.data[i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        bytes[i / 2] = (uint8_t)(high << 4 | low);
    }
    *ret_bytes = (struct sync_bytes){bytes, text.size / 2};
    return true;
}

static bool record_of(struct producer *p, const struct sync_json *line,
                      struct producer_record *ret_record)
{
    struct sync_error err = {0};
    const struct sync_json *hex = producer_value(line, "hex");
    const struct sync_json *key = producer_value(line, "key");
    *ret_record = (struct producer_record){0};
    if (hex != NULL && !hex_of(sync_json_text(hex), &ret_record->value)) {
        (void)fprintf(stderr, "%s: \"hex\" is not lower-case hexadecimal text\n", p->kind->name);
        return false;
    }
    if (hex == NULL && producer_value(line, "null") == NULL) {
        sync_arena_reset(&p->arena, 0);
        if (!sync_is_ok(p->kind->make(line, p->schema, &p->arena, ret_record, &err))) {
            (void)fprintf(stderr, "%s: %s\n", p->kind->name, err.text);
            return false;
        }
    }
    if (key != NULL) {
        ret_record->key = sync_json_text(key);
    }
    return true;
}

static bool send_record(struct producer *p, const struct sync_json *line,
                        const struct producer_record *record)
{
    struct sync_error err = {0};
    bool to_partition = producer_value(line, "partition") != NULL;
    struct sync_kafka_record out = {.topic = p->options.topic,
                                    .to_partition = to_partition,
                                    .partition = (int32_t)producer_integer(line, "partition"),
                                    .key = record->key,
                                    .value = record->value,
                                    .headers = record->headers,
                                    .header_count = record->header_count};
    sync_status status;
    do {
        status = sync_kafka_produce(p->kafka, &out, &err);
        (void)sync_kafka_producer_poll(p->kafka, sync_is_ok(status) ? 0 : 10);
    } while (!sync_is_ok(status) && err.code == SYNC_CODE_MEMORY_LIMIT);
    if (!sync_is_ok(status)) {
        (void)fprintf(stderr, "%s: %s\n", p->kind->name, err.text);
    }
    p->sent += sync_is_ok(status);
    return sync_is_ok(status);
}

static bool send_line(struct producer *p, const char *text, size_t size)
{
    struct sync_json *line = NULL;
    struct sync_error err = {0};
    struct producer_record record;
    if (!sync_is_ok(
            sync_json_parse((struct sync_bytes){(const uint8_t *)text, size}, &line, &err))) {
        (void)fprintf(stderr, "%s: %s\n", p->kind->name, err.text);
        return false;
    }
    bool sent = record_of(p, line, &record) && send_record(p, line, &record);
    sync_json_free(&line);
    return sent;
}

/* Waits until the schedule of the rate allows the next record; deliveries are served meanwhile. */
static void pace(struct producer *p, int64_t from_us)
{
    if (p->options.rate <= 0) {
        return;
    }
    int64_t due_us = from_us + (int64_t)((double)p->sent * 1e6 / p->options.rate);
    for (int64_t now_us = sync_clock_monotonic_us(); now_us < due_us;
         now_us = sync_clock_monotonic_us()) {
        (void)sync_kafka_producer_poll(p->kafka, (int)((due_us - now_us) / 1000));
    }
}

static bool send_all(struct producer *p, FILE *in)
{
    int64_t from_us = sync_clock_monotonic_us();
    char *line = NULL;
    size_t capacity = 0;
    bool good = true;
    ssize_t size;
    while ((size = getline(&line, &capacity, in)) >= 0) {
        if (size > 1) {
            good = send_line(p, line, (size_t)size) && good;
            pace(p, from_us);
        }
    }
    free(line);
    int64_t until_us = sync_clock_monotonic_us() + (int64_t)DELIVERY_MS * 1000;
    while (p->delivered + p->failed < p->sent && sync_clock_monotonic_us() < until_us) {
        (void)sync_kafka_producer_poll(p->kafka, 100);
    }
    return good && p->delivered == p->sent;
}

/* Start --------------------------------------------------------------------------------------- */

static void print_result(struct producer *p)
{
    struct sync_error err = {0};
    char cluster[64];
    int32_t partitions = 0;
    (void)printf("{\"sent\":%" PRIu64 ",\"delivered\":%" PRIu64 ",\"high\":{", p->sent,
                 p->delivered);
    if (!sync_is_ok(sync_kafka_producer_describe(p->kafka, p->options.topic, MARKS_MS, cluster,
                                                 &partitions, &err))) {
        (void)fprintf(stderr, "%s: %s\n", p->kind->name, err.text);
    }
    for (int32_t i = 0; i < partitions; i++) {
        int64_t low = 0;
        int64_t high = -1;
        if (!sync_is_ok(sync_kafka_producer_marks(p->kafka, p->options.topic, i, MARKS_MS, &low,
                                                  &high, &err))) {
            (void)fprintf(stderr, "%s: %s\n", p->kind->name, err.text);
        }
        (void)printf("%s\"%d\":%" PRId64, i == 0 ? "" : ",", i, high);
    }
    (void)printf("}}\n");
}

static bool parse(int argc, char **argv, struct options *ret_options)
{
    static const struct option names[] = {{"bootstrap", required_argument, NULL, 'b'},
                                          {"topic", required_argument, NULL, 't'},
                                          {"rate", required_argument, NULL, 'r'},
                                          {"schemas", required_argument, NULL, 's'},
                                          {NULL, 0, NULL, 0}};
    int option;
    *ret_options = (struct options){.schemas = "schemas"};
    while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
        if (option == 'b') {
            ret_options->bootstrap = optarg;
        } else if (option == 't') {
            ret_options->topic = optarg;
        } else if (option == 'r') {
            ret_options->rate = strtod(optarg, NULL);
        } else if (option == 's') {
            ret_options->schemas = optarg;
        } else {
            return false;
        }
    }
    ret_options->file = optind < argc ? argv[optind] : NULL;
    return ret_options->bootstrap != NULL && ret_options->topic != NULL;
}

static bool make(struct producer *p, struct sync_schema_set **ret_set)
{
    struct sync_error err = {0};
    struct sync_kafka_options kafka = {.bootstrap = p->options.bootstrap,
                                       .client_id = "test-producer"};
    sync_arena_init(&p->arena, malloc(ARENA_BYTES), ARENA_BYTES);
    sync_status status = sync_schema_set_new(p->options.schemas, ret_set, &err);
    if (sync_is_ok(status)) {
        p->schema = sync_schema_set_find(*ret_set, p->kind->schema);
        status = sync_kafka_producer_new(&kafka, on_delivered, p, &p->kafka, &err);
    }
    if (!sync_is_ok(status)) {
        (void)fprintf(stderr, "%s: %s\n", p->kind->name, err.text);
    }
    return sync_is_ok(status) && p->schema != NULL;
}

int producer_main(int argc, char **argv, const struct producer_kind *kind)
{
    static struct producer producer;
    producer.kind = kind;
    struct sync_schema_set *set = NULL;
    if (!parse(argc, argv, &producer.options)) {
        (void)fprintf(stderr,
                      "usage: %s --bootstrap HOST:PORT --topic NAME [--rate N]"
                      " [--schemas DIR] [FILE]\n",
                      argv[0]);
        return 2;
    }
    sync_log_init("test-producer", SYNC_ERROR);
    FILE *in = producer.options.file != NULL ? fopen(producer.options.file, "r") : stdin;
    if (in == NULL) {
        perror(producer.options.file);
        return 2;
    }
    if (!make(&producer, &set)) {
        return 1;
    }
    bool good = send_all(&producer, in);
    print_result(&producer);
    sync_kafka_producer_free(&producer.kafka, 1000);
    sync_schema_set_free(&set);
    free(producer.arena.memory);
    return good ? 0 : 1;
}
