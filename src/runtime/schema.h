/*
 * Avro schemas: read and check them, compile decoding plans, take Kafka values apart, encode. Not
 * here: executing a plan over untrusted bytes (src/core/datum.h), a registry.
 */
#ifndef SYNC_RUNTIME_SCHEMA_H
#define SYNC_RUNTIME_SCHEMA_H

#include "../core/datum.h"

struct sync_schema;     /* one checked schema */
struct sync_schema_set; /* all schemas of a directory: newest by full name, all by fingerprint */

/*
 * Checks a schema text and keeps it: a record of at most 64 KiB and 32 levels; names, defaults and
 * fixed sizes must be good; recursive types are refused.
 * Owns:   the text is copied; the caller frees ret_schema.
 * Blocks: no.
 * Fails:  FATAL schema_invalid, with the path of the field that is wrong; FATAL memory_limit.
 */
sync_status sync_schema_new(struct sync_bytes text, struct sync_schema **ret_schema,
                            struct sync_error *err);
void sync_schema_free(struct sync_schema **schema);

/* Full name, original text (NUL behind it), and CRC-64-AVRO of the parsing canonical form. All live
 * as long as the schema. */
const char *sync_schema_name(const struct sync_schema *schema);
struct sync_bytes sync_schema_text(const struct sync_schema *schema);
uint64_t sync_schema_fingerprint(const struct sync_schema *schema);

/*
 * Reads every .avsc file in dir and below it. Files below a directory "history" are older versions:
 * they answer to their fingerprints only.
 * Owns:   the caller frees ret_set, which owns its schemas.
 * Blocks: for the file system.
 * Fails:  FATAL file or schema_invalid, naming the file; two newest schemas of one name are
 * invalid.
 */
sync_status sync_schema_set_new(const char *dir, struct sync_schema_set **ret_set,
                                struct sync_error *err);
void sync_schema_set_free(struct sync_schema_set **set);

/* NULL when there is none; lives as long as the set. */
const struct sync_schema *sync_schema_set_find(const struct sync_schema_set *set, const char *name);
const struct sync_schema *sync_schema_set_find_fingerprint(const struct sync_schema_set *set,
                                                           uint64_t fingerprint);

/*
 * Compiles what the writer wrote into the fields of a change struct, by the rules of Avro: reader
 * gives defaults and aliases, fields say where each value goes.
 * Owns:   the caller frees ret_plan, which needs the schemas no more, but needs the symbols of
 * fields. Blocks: no. Fails:  PARK schema_mismatch with the path of the field; RETRY memory_limit.
 */
sync_status sync_plan_new(const struct sync_schema *writer, const struct sync_schema *reader,
                          const struct sync_field *fields, size_t field_count, size_t change_size,
                          struct sync_plan **ret_plan, struct sync_error *err);
void sync_plan_free(struct sync_plan **plan);

/* Takes framed values apart and decodes them; keeps one plan per writer's schema. */
struct sync_decoder;

/*
 * Owns:   the caller frees ret_decoder and keeps set and processor as long as it lives.
 * Blocks: no.   Calls: one thread at a time.
 * Fails:  FATAL schema_unknown or schema_mismatch: the processor does not fit the schemas.
 */
sync_status sync_decoder_new(const struct sync_schema_set *set,
                             const struct sync_processor *processor,
                             struct sync_decoder **ret_decoder, struct sync_error *err);
void sync_decoder_free(struct sync_decoder **decoder);

/*
 * Decodes a Kafka value: 'C3 01' and a fingerprint, or '00' and a schema id (PARK schema_unknown
 * until there is a registry).
 * Owns:   ret_change points into value and into the decoder; valid as long as both are.
 * Blocks: no.   Calls: one thread at a time.
 * Fails:  PARK empty_value, framing, schema_unknown, schema_mismatch, or what sync_datum_decode
 * says; RETRY memory_limit. ret_change is then undefined.
 */
sync_status sync_decoder_decode(struct sync_decoder *decoder, struct sync_bytes value,
                                void *ret_change, struct sync_error *err);

/*
 * Encodes a change struct by the processor's fields, framed with 'C3 01' and the fingerprint.
 * Owns:   ret_value lies in the arena.
 * Blocks: no.
 * Fails:  PARK field_range, utf8, field_missing, oversize, schema_mismatch; RETRY memory_limit when
 *         the arena is full.
 */
sync_status sync_encode(const struct sync_schema *schema, const struct sync_processor *processor,
                        const void *change, struct sync_arena *arena, struct sync_bytes *ret_value,
                        struct sync_error *err);

#endif
