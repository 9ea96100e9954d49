/*
 * Members of a JSON object that Altinn 2 wrote, read one by one: names in any case, as its own
 * readers take them, numbers also as text. The first member that is wrong is remembered with its
 * JSON pointer; what is read after it means nothing. Pure. Not here: which members there are.
 */
#ifndef SYNC_ALTINN2_FIELDS_H
#define SYNC_ALTINN2_FIELDS_H
#include <altinn_sync/status.h>
#include <altinn_sync/types.h>
#include <runtime/json.h>

#define FIELDS_POINTER_SIZE 64 /* = the field of an error */

struct fields {
    const struct sync_json *object;
    char at[FIELDS_POINTER_SIZE]; /* JSON pointer of the object */
    struct sync_error *err;
    sync_status status; /* PARK once a member is wrong */
};

/* Begins to read an object; another value is refused. at: its JSON pointer. */
struct fields fields_of(const struct sync_json *object, const char *at, struct sync_error *err);

/* The member, NULL when it is absent or null. */
const struct sync_json *fields_get(const struct fields *fields, const char *name);

/* Remembers a fault of a member, "" = of the object itself, unless there is one already. */
void fields_refuse(struct fields *fields, const char *name, enum sync_code code,
                   const char *reason);
void fields_need(struct fields *fields, const char *name); /* refuses an absent one */

/* Below, an absent member is 0, empty or false; one that is wrong is refused. */
int32_t fields_int(struct fields *fields, const char *name); /* not below 0 */
int64_t fields_long(struct fields *fields, const char *name);
/* Without blanks at its ends, at most size_max bytes; borrowed from the JSON. */
struct sync_bytes fields_text(struct fields *fields, const char *name, size_t size_max);
/* With or without braces. False also for the zero UUID, which means absent. */
bool fields_uuid(struct fields *fields, const char *name, struct sync_uuid *ret_id);
/* False when absent. A time without its offset is UTC, or refused where the offset is promised. */
bool fields_time(struct fields *fields, const char *name, bool needs_offset, int64_t *ret_us);

/* The same of a value that has no name. False: it is not one. */
bool fields_read_uuid(struct sync_bytes text, struct sync_uuid *ret_id);
bool fields_read_number(const struct sync_json *value, int64_t *ret_number);
struct sync_bytes fields_trim(struct sync_bytes text);
/* Trimmed and in lower case, with a NUL behind; false when it is empty or does not fit. */
bool fields_canonical(struct sync_bytes text, char *ret_text, size_t capacity);
#endif
