/*
 * Framing of Kafka values, and one plan per writer schema. Not here: executing plans
 * (src/core/datum.c). A registry, when there is one, takes its place in writer_of.
 */
#include "schema.h"

#include "../core/limits.h"

#include <stdlib.h>

#define FRAME_SINGLE_OBJECT_BYTES 10 /* C3 01, fingerprint */
#define FRAME_REGISTRY_BYTES      5  /* 00, schema id */

/* What became of one writer's schema. A failure is kept too: a stream of records that cannot be
 * matched must not cost a compilation each. */
struct match {
    const struct sync_schema *writer;
    struct sync_plan *plan; /* NULL = error says why */
    struct sync_error error;
};

struct sync_decoder {
    const struct sync_schema_set *set;
    const struct sync_processor *processor;
    const struct sync_schema *reader;
    struct match matches[SYNC_DECODER_WRITERS_MAX];
    size_t count;
    size_t last; /* most records have the schema of the one before */
};

static sync_status compile(struct sync_decoder *decoder, const struct sync_schema *writer,
                           struct sync_plan **ret_plan, struct sync_error *err)
{
    const struct sync_processor *processor = decoder->processor;
    return sync_plan_new(writer, decoder->reader, processor->fields, processor->field_count,
                         processor->change_size, ret_plan, err);
}

sync_status sync_decoder_new(const struct sync_schema_set *set,
                             const struct sync_processor *processor,
                             struct sync_decoder **ret_decoder, struct sync_error *err)
{
    const struct sync_schema *reader = sync_schema_set_find(set, processor->schema);
    if (reader == NULL) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_SCHEMA_UNKNOWN,
                         "start processor %s: its schema %s is not among the schemas",
                         processor->name, processor->schema);
    }
    struct sync_decoder *decoder = calloc(1, sizeof *decoder);
    if (decoder == NULL) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_MEMORY_LIMIT,
                         "start processor %s: memory is short", processor->name);
    }
    decoder->set = set;
    decoder->processor = processor;
    decoder->reader = reader;
    struct sync_error inner = {0};
    struct match *own = &decoder->matches[0];
    if (!sync_is_ok(compile(decoder, reader, &own->plan, &inner))) {
        sync_decoder_free(&decoder);
        return sync_fail_field(err, SYNC_CLASS_FATAL, inner.code, inner.field,
                               "start processor %s: %s", processor->name, inner.text);
    }
    own->writer = reader;
    decoder->count = 1;
    *ret_decoder = decoder;
    return SYNC_OK;
}

void sync_decoder_free(struct sync_decoder **decoder)
{
    if (decoder == NULL || *decoder == NULL) {
        return;
    }
    for (size_t i = 0; i < (*decoder)->count; i++) {
        sync_plan_free(&(*decoder)->matches[i].plan);
    }
    free(*decoder);
    *decoder = NULL;
}

static sync_status read_registry_frame(struct sync_bytes value, struct sync_error *err)
{
    if (value.size < FRAME_REGISTRY_BYTES) {
        return sync_fail(err, SYNC_CLASS_PARK, SYNC_CODE_FRAMING,
                         "read the frame: %zu bytes end inside the schema id", value.size);
    }
    uint32_t id = (uint32_t)value.data[1] << 24 | (uint32_t)value.data[2] << 16 |
                  (uint32_t)value.data[3] << 8 | value.data[4];
    return sync_fail(err, SYNC_CLASS_PARK, SYNC_CODE_SCHEMA_UNKNOWN,
                     "read the frame: schema id %u needs a registry, and none is configured", id);
}

/* The schema a value was written with, and where its datum begins. */
static sync_status writer_of(const struct sync_decoder *decoder, struct sync_bytes value,
                             const struct sync_schema **ret_writer, struct sync_bytes *ret_datum,
                             struct sync_error *err)
{
    if (value.size == 0) {
        return sync_fail(err, SYNC_CLASS_PARK, SYNC_CODE_EMPTY_VALUE,
                         "read the frame: the value is empty");
    }
    if (value.data[0] == 0x00) {
        return read_registry_frame(value, err);
    }
    if (value.data[0] != 0xC3 || value.size < FRAME_SINGLE_OBJECT_BYTES || value.data[1] != 0x01) {
        return sync_fail(err, SYNC_CLASS_PARK, SYNC_CODE_FRAMING,
                         "read the frame: %zu bytes begin with neither 00 and a schema id nor "
                         "C3 01 and a fingerprint",
                         value.size);
    }
    uint64_t fingerprint = 0;
    for (size_t i = FRAME_SINGLE_OBJECT_BYTES; i > 2; i--) {
        fingerprint = fingerprint << 8 | value.data[i - 1];
    }
    *ret_writer = sync_schema_set_find_fingerprint(decoder->set, fingerprint);
    if (*ret_writer == NULL) {
        return sync_fail(err, SYNC_CLASS_PARK, SYNC_CODE_SCHEMA_UNKNOWN,
                         "read the frame: no schema has the fingerprint %016llx",
                         (unsigned long long)fingerprint);
    }
    *ret_datum = (struct sync_bytes){value.data + FRAME_SINGLE_OBJECT_BYTES,
                                     value.size - FRAME_SINGLE_OBJECT_BYTES};
    return SYNC_OK;
}

/* The match of a writer; a new one is compiled. NULL with err when it cannot be kept. */
static struct match *match_of(struct sync_decoder *decoder, const struct sync_schema *writer,
                              sync_status *ret_status, struct sync_error *err)
{
    for (size_t i = 0; i < decoder->count; i++) {
        if (decoder->matches[i].writer == writer) {
            decoder->last = i;
            return &decoder->matches[i];
        }
    }
    if (decoder->count == SYNC_DECODER_WRITERS_MAX) {
        *ret_status = sync_fail(err, SYNC_CLASS_PARK, SYNC_CODE_SCHEMA_UNKNOWN,
                                "match the writer's schema: more than %d schemas in one topic",
                                SYNC_DECODER_WRITERS_MAX);
        return NULL;
    }
    struct match *match = &decoder->matches[decoder->count];
    *match = (struct match){.writer = writer};
    sync_status status = compile(decoder, writer, &match->plan, &match->error);
    if (status.class == SYNC_CLASS_RETRY) {
        *ret_status = status;
        if (err != NULL) {
            *err = match->error;
        }
        return NULL;
    }
    decoder->last = decoder->count++;
    return match;
}

sync_status sync_decoder_decode(struct sync_decoder *decoder, struct sync_bytes value,
                                void *ret_change, struct sync_error *err)
{
    const struct sync_schema *writer = NULL;
    struct sync_bytes datum = {NULL, 0};
    sync_status status = writer_of(decoder, value, &writer, &datum, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    struct match *match = &decoder->matches[decoder->last];
    if (match->writer != writer) {
        match = match_of(decoder, writer, &status, err);
    }
    if (match == NULL) {
        return status;
    }
    if (match->plan == NULL) {
        if (err != NULL) {
            *err = match->error;
        }
        return (sync_status){match->error.class};
    }
    return sync_datum_decode(match->plan, datum, ret_change, err);
}
