/*
 * Layout of a decoding plan, shared by its compiler (src/runtime/schema_plan.c) and its executor
 * (datum.c). Nobody else includes it. A plan is a graph of nodes without cycles: node = how one
 * value stands on the wire and what becomes of it. Constant once compiled.
 */
#ifndef SYNC_CORE_PLAN_H
#define SYNC_CORE_PLAN_H

#include <altinn_sync/processor.h>

/* How the value stands on the wire, in the writer's schema. */
enum sync_plan_wire {
    SYNC_WIRE_NULL,
    SYNC_WIRE_BOOLEAN,
    SYNC_WIRE_INT,
    SYNC_WIRE_LONG,
    SYNC_WIRE_FLOAT,
    SYNC_WIRE_DOUBLE,
    SYNC_WIRE_BYTES,
    SYNC_WIRE_STRING,
    SYNC_WIRE_FIXED,
    SYNC_WIRE_ENUM,
    SYNC_WIRE_UNION,
    SYNC_WIRE_RECORD,
    SYNC_WIRE_ARRAY,
    SYNC_WIRE_MAP,
    SYNC_WIRE_ABSENT, /* not on the wire: the reader's default, constants[first] */
    SYNC_WIRE_REFUSE, /* a union branch that the reader cannot take; size is the code */
};

/* What becomes of it. */
enum sync_plan_store {
    SYNC_STORE_NONE, /* checked and skipped */
    SYNC_STORE_BOOL,
    SYNC_STORE_INT,
    SYNC_STORE_LONG,
    SYNC_STORE_FLOAT, /* a double in the struct, rounded to the reader's float */
    SYNC_STORE_DOUBLE,
    SYNC_STORE_TEXT,
    SYNC_STORE_UUID,
    SYNC_STORE_ENUM,
    SYNC_STORE_TEXTS,    /* an array: its own bytes, once they are checked */
    SYNC_STORE_PRESENCE, /* a record: true */
};

#define SYNC_PLAN_NONE UINT32_MAX /* no present flag, no path */

struct sync_plan_node {
    uint8_t wire;
    uint8_t store;
    uint32_t offset;  /* of the value in the change struct */
    uint32_t present; /* offset of the bool that says "not null" */
    /* record: fields, union: branches, array and map: the one item, in children; enum: of symbols
     */
    uint32_t first, count;
    uint32_t
        size; /* fixed: bytes; text: most bytes, 0 = any; array and map: least bytes of an item */
};

struct sync_plan_child {
    uint32_t node;
    uint32_t path; /* of a record's field: NUL-ended, in texts; or SYNC_PLAN_NONE */
};

struct sync_plan_constant {
    int64_t integer; /* also boolean and enum */
    double real;
    uint32_t text, text_size; /* in texts */
    struct sync_uuid uuid;
};

struct sync_plan {
    struct sync_plan_node *nodes;
    size_t node_count;
    struct sync_plan_child *children;
    size_t child_count;
    int32_t *symbols; /* writer's index -> index in the processor's list, or -1 */
    size_t symbol_count;
    struct sync_plan_constant *constants;
    size_t constant_count;
    char *texts; /* NUL-ended paths, and texts of constants */
    size_t texts_size;
    size_t change_size;
    uint32_t root; /* always a record */
};

#endif
