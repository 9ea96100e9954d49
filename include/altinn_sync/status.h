/*
 * Results and errors. The class of an error is the instruction: what the caller does next.
 * Not here: how errors are logged (src/runtime/log.h).
 */
#ifndef ALTINN_SYNC_STATUS_H
#define ALTINN_SYNC_STATUS_H

#include <stddef.h>

enum sync_class {
    SYNC_CLASS_OK,    /* done */
    SYNC_CLASS_RETRY, /* the world is bad: the same again after a backoff */
    SYNC_CLASS_PARK,  /* this change cannot succeed: set it aside, go on with the others */
    SYNC_CLASS_FATAL, /* stop the process, commit nothing */
};

/* One row per code: the symbol and the word that stands in sync.parked.code, in logs and in
 * metrics. */
#define SYNC_CODES(X)                                                                              \
    X(SYNC_CODE_NONE, "none")                                                                      \
    X(SYNC_CODE_INTERNAL, "internal")                                                              \
    X(SYNC_CODE_MEMORY_LIMIT, "memory_limit")                                                      \
    X(SYNC_CODE_USAGE, "usage")                                                                    \
    X(SYNC_CODE_CONFIG, "config")                                                                  \
    X(SYNC_CODE_FILE, "file")                                                                      \
    X(SYNC_CODE_SYNTAX, "syntax")                                                                  \
    X(SYNC_CODE_UNKNOWN_KEY, "unknown_key")                                                        \
    X(SYNC_CODE_INSECURE, "insecure")                                                              \
    X(SYNC_CODE_EMPTY_VALUE, "empty_value")                                                        \
    X(SYNC_CODE_FRAMING, "framing")                                                                \
    X(SYNC_CODE_SCHEMA_UNKNOWN, "schema_unknown")                                                  \
    X(SYNC_CODE_SCHEMA_INVALID, "schema_invalid")                                                  \
    X(SYNC_CODE_SCHEMA_MISMATCH, "schema_mismatch")                                                \
    X(SYNC_CODE_TRUNCATED, "truncated")                                                            \
    X(SYNC_CODE_TRAILING_BYTES, "trailing_bytes")                                                  \
    X(SYNC_CODE_VARINT, "varint")                                                                  \
    X(SYNC_CODE_LENGTH, "length")                                                                  \
    X(SYNC_CODE_ITEM_COUNT, "item_count")                                                          \
    X(SYNC_CODE_DEPTH, "depth")                                                                    \
    X(SYNC_CODE_NODE_COUNT, "node_count")                                                          \
    X(SYNC_CODE_UTF8, "utf8")                                                                      \
    X(SYNC_CODE_BOOLEAN, "boolean")                                                                \
    X(SYNC_CODE_ENUM_SYMBOL, "enum_symbol")                                                        \
    X(SYNC_CODE_UNION_BRANCH, "union_branch")                                                      \
    X(SYNC_CODE_FIELD_MISSING, "field_missing")                                                    \
    X(SYNC_CODE_FIELD_RANGE, "field_range")                                                        \
    X(SYNC_CODE_UUID, "uuid")                                                                      \
    X(SYNC_CODE_KEY_MISMATCH, "key_mismatch")                                                      \
    X(SYNC_CODE_OVERSIZE, "oversize")                                                              \
    X(SYNC_CODE_KIND_UNKNOWN, "kind_unknown")                                                      \
    X(SYNC_CODE_ORIGIN, "origin")                                                                  \
    X(SYNC_CODE_FUTURE_TIME, "future_time")                                                        \
    X(SYNC_CODE_ANCIENT_TIME, "ancient_time")                                                      \
    X(SYNC_CODE_ID_CONFLICT, "id_conflict")                                                        \
    X(SYNC_CODE_HELD_TOO_LONG, "held_too_long")                                                    \
    X(SYNC_CODE_HELD_TOO_MANY, "held_too_many")                                                    \
    X(SYNC_CODE_DATA_REFUSED, "data_refused")                                                      \
    X(SYNC_CODE_DB_UNREACHABLE, "db_unreachable")                                                  \
    X(SYNC_CODE_DB_CONFLICT, "db_conflict")                                                        \
    X(SYNC_CODE_DB_REFUSED, "db_refused")                                                          \
    X(SYNC_CODE_DB_SCHEMA, "db_schema")                                                            \
    X(SYNC_CODE_DB_ROW_GONE, "db_row_gone")                                                        \
    X(SYNC_CODE_IN_DOUBT, "in_doubt")                                                              \
    X(SYNC_CODE_FENCED, "fenced")                                                                  \
    X(SYNC_CODE_SEEN, "seen")                                                                      \
    X(SYNC_CODE_GAP, "gap")                                                                        \
    X(SYNC_CODE_TRUNCATED_LOG, "truncated_log")                                                    \
    X(SYNC_CODE_CLUSTER, "cluster")                                                                \
    X(SYNC_CODE_TOPIC_UNKNOWN, "topic_unknown")                                                    \
    X(SYNC_CODE_TOPIC_REFUSED, "topic_refused")                                                    \
    X(SYNC_CODE_KAFKA_UNREACHABLE, "kafka_unreachable")                                            \
    X(SYNC_CODE_KAFKA_REFUSED, "kafka_refused")                                                    \
    X(SYNC_CODE_HTTP_UNREACHABLE, "http_unreachable")                                              \
    X(SYNC_CODE_HTTP_UNKNOWN, "http_unknown")                                                      \
    X(SYNC_CODE_HTTP_ANSWER, "http_answer")                                                        \
    X(SYNC_CODE_SLOT, "slot")                                                                      \
    X(SYNC_CODE_TIMELINE, "timeline")                                                              \
    X(SYNC_CODE_SYSTEM_ID, "system_id")                                                            \
    X(SYNC_CODE_PROTOCOL, "protocol")                                                              \
    X(SYNC_CODE_TIMEOUT, "timeout")                                                                \
    X(SYNC_CODE_NOT_FOUND, "not_found")                                                            \
    X(SYNC_CODE_REFUSED, "refused")

/* The codes as an enum, in the order of the table above. */
#define SYNC_CODE_SYMBOL(symbol, word) symbol,
enum sync_code { SYNC_CODES(SYNC_CODE_SYMBOL) SYNC_CODE_COUNT };
#undef SYNC_CODE_SYMBOL

/* Must be looked at: clang refuses a call whose status is dropped; gcc has no such attribute for
 * types. Not an int, so that it cannot be mixed up with a count or a boolean. */
#ifdef __clang__
#define SYNC_MUST_USE __attribute__((warn_unused_result))
#else
#define SYNC_MUST_USE
#endif
typedef struct SYNC_MUST_USE {
    enum sync_class class;
} sync_status;

/* The caller's frame owns it. Text is for people, code for tests and metrics, field a path inside
 * the record or the file (empty when there is none). */
struct sync_error {
    enum sync_class class;
    enum sync_code code;
    char field[64];
    char text[256];
};

#define SYNC_OK ((sync_status){SYNC_CLASS_OK})

/*
 * Fills an error and returns its class. Text is cut at its bound, never overrun.
 * Owns: nothing.  Blocks: no.  Fails: never; err may be NULL.
 */
sync_status sync_fail(struct sync_error *err, enum sync_class class, enum sync_code code,
                      const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Same, with the path of the field that is wrong. */
sync_status sync_fail_field(struct sync_error *err, enum sync_class class, enum sync_code code,
                            const char *field, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/*
 * Puts "context: " before the text of an error on its way up and returns its class.
 * Owns: nothing.  Blocks: no.  Fails: never.
 */
sync_status sync_wrap(struct sync_error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The word of a code, as it stands in tables and logs. Static, never NULL. */
const char *sync_code_word(enum sync_code code);

static inline int sync_is_ok(sync_status status)
{
    return status.class == SYNC_CLASS_OK;
}

/* We are wrong: stop here. On in production; a restart is safe. */
#define SYNC_ASSERT(condition)                                                                     \
    do {                                                                                           \
        if (__builtin_expect(!(condition), 0)) {                                                   \
            __builtin_trap();                                                                      \
        }                                                                                          \
    } while (0)

#endif
