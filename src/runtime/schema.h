/*
 * Avro schemas: parse, check, fingerprint, compile plans, encode trusted values. Wraps avro-c, whose
 * header no other file may include. Not here: reading untrusted bytes (src/core/datum.h).
 */
#ifndef SYNC_RUNTIME_SCHEMA_H
#define SYNC_RUNTIME_SCHEMA_H

#include "../core/datum.h"

struct sync_schema;     /* one parsed schema */
struct sync_schema_set; /* all schemas of a directory, by full name (newest) and by fingerprint (all) */

/* Parses a checked schema text: at most 64 KiB, depth 32, whitelisted types. Fails: FATAL schema_invalid with the path. */
sync_status sync_schema_new(struct sync_bytes text, struct sync_schema **ret_schema, struct sync_error *err);
void sync_schema_free(struct sync_schema **schema);
const char *sync_schema_name(const struct sync_schema *schema);          /* full name */
struct sync_bytes sync_schema_text(const struct sync_schema *schema);    /* original text */
uint64_t sync_schema_fingerprint(const struct sync_schema *schema);      /* CRC-64-AVRO of the canonical form */

/* Reads every .avsc below dir (and history/ below it). Fails: FATAL file or schema_invalid, naming the file. */
sync_status sync_schema_set_new(const char *dir, struct sync_schema_set **ret_set, struct sync_error *err);
void sync_schema_set_free(struct sync_schema_set **set);
const struct sync_schema *sync_schema_set_find(const struct sync_schema_set *set, const char *name);
const struct sync_schema *sync_schema_set_find_fingerprint(const struct sync_schema_set *set, uint64_t fingerprint);

/*
 * Compiles writer schema -> reader schema -> C struct. reader gives defaults and aliases, fields the offsets.
 * Fails: PARK schema_mismatch with the field path.
 */
sync_status sync_plan_new(const struct sync_schema *writer, const struct sync_schema *reader,
                          const struct sync_field *fields, size_t field_count, size_t change_size,
                          struct sync_plan **ret_plan, struct sync_error *err);
void sync_plan_free(struct sync_plan **plan);

/*
 * Takes a framed Kafka value apart and decodes it: 'C3 01' + fingerprint, or '00' + schema id (PARK
 * schema_unknown until a registry is configured). Plans are cached per writer schema. One thread.
 */
struct sync_decoder;
sync_status sync_decoder_new(const struct sync_schema_set *set, const struct sync_processor *processor,
                             struct sync_decoder **ret_decoder, struct sync_error *err);
void sync_decoder_free(struct sync_decoder **decoder);
sync_status sync_decoder_decode(struct sync_decoder *decoder, struct sync_bytes value, void *ret_change,
                                struct sync_error *err);

/*
 * Encodes a change struct with the reader's fields, framed with 'C3 01' + fingerprint.
 * Owns: bytes lie in the arena. Fails: PARK field_range; RETRY memory_limit when the arena is full.
 */
sync_status sync_encode(const struct sync_schema *schema, const struct sync_processor *processor,
                        const void *change, struct sync_arena *arena, struct sync_bytes *ret_value,
                        struct sync_error *err);

#endif
