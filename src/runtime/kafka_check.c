/* Checks what is passed through to the Kafka client. Not here: whether a broker takes it. */
#include "kafka_client.h"
#include "kafka_java.h"
#include "suggest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMES_MAX 512 /* of properties; this library has 200 */

static sync_status check(const struct sync_kafka_options *options,
                         const struct kafka_setting *fixed, struct sync_error *err)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    sync_status status = kafka_conf_common(conf, options, err);
    if (sync_is_ok(status)) {
        status = kafka_conf_pass_through(conf, options->properties, fixed, err);
    }
    rd_kafka_conf_destroy(conf);
    return status;
}

sync_status sync_kafka_options_check(const struct sync_kafka_options *options,
                                     struct sync_error *err)
{
    sync_status status = check(options, kafka_consumer_fixed, err);
    return sync_is_ok(status) ? check(options, kafka_producer_fixed, err) : status;
}

/* The names of the library's table of properties, "name | C/P | range | …", cut out of it in its
 * place. */
static size_t cut_names(char *table, const char **ret_names)
{
    size_t count = 0;
    char *rest = NULL;
    for (char *line = strtok_r(table, "\n", &rest); line != NULL && count < NAMES_MAX;
         line = strtok_r(NULL, "\n", &rest)) {
        size_t size = strcspn(line, " |");
        bool is_row = strchr(line, '|') != NULL && size > 0 && line[size] != '\0';
        if (is_row) {
            line[size] = '\0';
            ret_names[count++] = line;
        }
    }
    return count;
}

/* A slip is more likely than a property that nobody has heard of. */
static sync_status unknown(const char *name, struct sync_error *err)
{
    const char *names[NAMES_MAX];
    char *table = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&table, &size);
    SYNC_ASSERT(out != NULL);
    rd_kafka_conf_properties_show(out);
    SYNC_ASSERT(fclose(out) == 0 && table != NULL);
    const char *near = sync_suggest(name, names, cut_names(table, names));
    sync_status status =
        near != NULL
            ? sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_CONFIG,
                        "the client has no property %.60s; did you mean %.60s?", name, near)
            : sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_CONFIG,
                        "the client has no property %.60s; remove it", name);
    free(table);
    return status;
}

/* The value of a secret is never repeated, so the library's own words are kept back. */
static sync_status try(rd_kafka_conf_t *conf, const char *name, const char *value, bool secret,
                       struct sync_error *err)
{
    char text[KAFKA_ERROR_TEXT_BYTES];
    switch (rd_kafka_conf_set(conf, name, value, text, sizeof text)) {
    case RD_KAFKA_CONF_OK:
        return SYNC_OK;
    case RD_KAFKA_CONF_UNKNOWN:
        return unknown(name, err);
    case RD_KAFKA_CONF_INVALID:
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_CONFIG, "set %.60s: %s", name,
                         secret ? "the client does not take this value" : text);
    }
    return SYNC_OK;
}

sync_status sync_kafka_property_check(const char *name, const char *value, bool secret,
                                      struct sync_error *err)
{
    const char *hint = kafka_java_hint(name);
    if (hint != NULL) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_CONFIG,
                         "%.60s is a property of the Java client; %s", name, hint);
    }
    sync_status status = kafka_fixed_check(kafka_consumer_fixed, name, value, err);
    if (sync_is_ok(status)) {
        status = kafka_fixed_check(kafka_producer_fixed, name, value, err);
    }
    if (!sync_is_ok(status)) {
        return status; /* first: some properties act when they are set */
    }
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    status = try(conf, name, value, secret, err);
    rd_kafka_conf_destroy(conf);
    return status;
}
