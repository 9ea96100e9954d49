/*
 * JSON over jansson, whose header no other file includes: strict parsing with depth and size
 * bounds, typed reads with a JSON pointer in the error, and building.
 */
#ifndef SYNC_RUNTIME_JSON_H
#define SYNC_RUNTIME_JSON_H
#include <altinn_sync/status.h>
#include <altinn_sync/types.h>

struct sync_json; /* a value; children are borrowed from their parent */

/*
 * Parses one whole JSON text: at most SYNC_JSON_BYTES_MAX, SYNC_JSON_DEPTH_MAX,
 * SYNC_JSON_VALUES_MAX. Duplicate names, NUL characters, ill-formed UTF-8, numbers out of range and
 * bytes behind the value are refused. Owns: the caller frees with sync_json_free. Blocks: no.
 * Fails: PARK syntax, oversize or depth, with line and column, never with the text itself.
 */
sync_status sync_json_parse(struct sync_bytes text, struct sync_json **ret_json,
                            struct sync_error *err);
void sync_json_free(struct sync_json **json);

/*
 * Reads never fail: NULL and a value of another type read as null, false, 0, "" and an empty array
 * or object, so a caller that minds checks sync_json_type_of first. sync_json_real takes integers
 * too. Owns: what comes back belongs to the parsed text and lives as long.
 */
enum sync_json_type {
    SYNC_JSON_NULL,
    SYNC_JSON_BOOL,
    SYNC_JSON_INTEGER,
    SYNC_JSON_REAL,
    SYNC_JSON_TEXT,
    SYNC_JSON_ARRAY,
    SYNC_JSON_OBJECT
};
enum sync_json_type sync_json_type_of(const struct sync_json *json);
const struct sync_json *sync_json_get(const struct sync_json *object,
                                      const char *name); /* NULL when absent; exact case */
size_t sync_json_count(const struct sync_json *array);
const struct sync_json *sync_json_at(const struct sync_json *array, size_t index);
bool sync_json_bool(const struct sync_json *json);
int64_t sync_json_integer(const struct sync_json *json);
double sync_json_real(const struct sync_json *json);
struct sync_bytes sync_json_text(const struct sync_json *json); /* NUL behind it */
/* Names of an object, in order: calls back per member. */
void sync_json_each(const struct sync_json *object,
                    void (*each)(const char *name, const struct sync_json *value, void *context),
                    void *context);

/*
 * Building text: values are escaped, ill-formed UTF-8 becomes U+FFFD, a number that is not finite
 * becomes null. Memory is malloc'ed, at most SYNC_JSON_WRITER_BYTES_MAX; sync_json_writer_take
 * gives it away and must be called.
 */
struct sync_json_writer {
    char *data;
    size_t size, capacity;
    int depth;
    bool comma, failed;
};
void sync_json_writer_init(struct sync_json_writer *w);
void sync_json_open(struct sync_json_writer *w, const char *name,
                    char bracket); /* '{' or '[' ; name NULL inside arrays */
void sync_json_close(struct sync_json_writer *w, char bracket);
void sync_json_put_text(struct sync_json_writer *w, const char *name,
                        const char *value); /* NULL = null */
void sync_json_put_integer(struct sync_json_writer *w, const char *name, int64_t value);
void sync_json_put_real(struct sync_json_writer *w, const char *name, double value);
void sync_json_put_bool(struct sync_json_writer *w, const char *name, bool value);
char *sync_json_writer_take(
    struct sync_json_writer *w); /* NUL-ended, caller frees; NULL when memory failed */
#endif
