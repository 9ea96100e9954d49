/* The table of Java-only properties, by librdkafka 2.0.2. */
#include "kafka_java.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define UNUSED "remove it, nothing here has need of it"

static const struct {
    const char *name, *hint; /* a name that ends in '.' stands for all that begin with it */
} hints[] = {
    {"ssl.truststore.location", "write ssl.ca.location with a PEM file"},
    {"ssl.truststore.certificates", "write ssl.ca.pem, or ssl.ca.location with a PEM file"},
    {"ssl.truststore.password", "remove it, the PEM file of ssl.ca.location has no password"},
    {"ssl.truststore.type", "remove it, ssl.ca.location is PEM"},
    {"ssl.keystore.certificate.chain",
     "write ssl.certificate.pem, or ssl.certificate.location with a PEM file"},
    {"ssl.keystore.key", "write ssl.key.location with a PEM file"},
    {"ssl.keystore.type",
     "remove it, ssl.keystore.location is PKCS#12; for PEM write ssl.certificate.location and "
     "ssl.key.location"},
    {"ssl.protocol", "remove it, TLS 1.2 or later is used"},
    {"ssl.enabled.protocols", "remove it, TLS 1.2 or later is used"},
    {"ssl.provider", UNUSED},
    {"ssl.keymanager.algorithm", UNUSED},
    {"ssl.trustmanager.algorithm", UNUSED},
    {"ssl.secure.random.implementation", UNUSED},
    {"ssl.engine.factory.class", UNUSED},
    {"security.providers", UNUSED},
    {"sasl.jaas.config", "write sasl.username and sasl.password"},
    {"sasl.client.callback.handler.class", "remove it, sasl.mechanism is enough"},
    {"sasl.login.callback.handler.class", "remove it, sasl.mechanism is enough"},
    {"sasl.login.class", "remove it, sasl.mechanism is enough"},
    {"sasl.login.", UNUSED},
    {"sasl.kerberos.ticket.renew.jitter", UNUSED},
    {"sasl.kerberos.ticket.renew.window.factor", UNUSED},
    {"key.serializer", UNUSED},
    {"value.serializer", UNUSED},
    {"key.deserializer", UNUSED},
    {"value.deserializer", UNUSED},
    {"interceptor.classes", UNUSED},
    {"metric.reporters", UNUSED},
    {"metrics.", UNUSED},
    {"auto.include.jmx.reporter", UNUSED},
    {"client.dns.lookup", UNUSED},
    {"exclude.internal.topics", UNUSED},
    {"partitioner.class", "remove it, the partitioner is fixed"},
    {"partitioner.ignore.keys", "remove it, the partitioner is fixed"},
    {"max.poll.records", "set consumer.batch_records_max"},
    {"fetch.max.wait.ms", "write fetch.wait.max.ms"},
    {"receive.buffer.bytes", "write socket.receive.buffer.bytes"},
    {"send.buffer.bytes", "write socket.send.buffer.bytes"},
    {"max.request.size", "write message.max.bytes"},
    {"buffer.memory", "write queue.buffering.max.kbytes"},
    {"max.block.ms", UNUSED},
    {"default.api.timeout.ms", "give --timeout to the verb"},
    {"group.protocol", UNUSED},
    {"group.remote.assignor", UNUSED},
};

const char *kafka_java_hint(const char *name)
{
    for (size_t i = 0; i < sizeof hints / sizeof hints[0]; i++) {
        size_t size = strlen(hints[i].name);
        bool stem = hints[i].name[size - 1] == '.';
        if (stem ? strncmp(name, hints[i].name, size) == 0 : strcmp(name, hints[i].name) == 0) {
            return hints[i].hint;
        }
    }
    return NULL;
}
