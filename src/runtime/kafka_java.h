/* Properties that only the Java client of Kafka knows, and what to write instead. Pure. */
#ifndef SYNC_RUNTIME_KAFKA_JAVA_H
#define SYNC_RUNTIME_KAFKA_JAVA_H

/*
 * What to do about a property of the Java client, for a sentence such as "write ssl.ca.location
 * with a PEM file"; NULL when Java's client has no such property, or both have it.
 * Owns: static.  Blocks: no.  Fails: never.
 */
const char *kafka_java_hint(const char *name);
#endif
