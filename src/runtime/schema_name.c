/* Words, names and paths of schemas. Not here: which name may stand where (schema_tree.c). */
#include "schema_tree.h"

#include "../core/limits.h"

static const char *const kind_words[] = {"null",   "boolean", "int",    "long",  "float",
                                         "double", "bytes",   "string", "fixed", "enum",
                                         "record", "array",   "map",    "union"};

const char *schema_kind_word(enum schema_kind kind)
{
    SYNC_ASSERT((size_t)kind < sizeof kind_words / sizeof kind_words[0]);
    return kind_words[kind];
}

bool schema_word_is_primitive(const char *word, enum schema_kind *ret_kind)
{
    for (size_t i = SCHEMA_NULL; i <= SCHEMA_STRING; i++) {
        if (strcmp(word, kind_words[i]) == 0) {
            *ret_kind = (enum schema_kind)i;
            return true;
        }
    }
    return false;
}

static bool is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

bool schema_name_is_good(const char *name, bool dots)
{
    size_t size = strlen(name);
    if (size == 0 || size > SYNC_SCHEMA_NAME_BYTES_MAX) {
        return false;
    }
    bool start = true;
    for (size_t i = 0; i < size; i++) {
        char c = name[i];
        if (dots && c == '.' && !start) {
            start = true;
            continue;
        }
        if (!is_letter(c) && (start || c < '0' || c > '9')) {
            return false;
        }
        start = false;
    }
    return !start;
}

bool schema_names_contain(const struct schema_names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->items[i], name) == 0) {
            return true;
        }
    }
    return false;
}

const char *schema_short_name(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot != NULL ? dot + 1 : name;
}

bool schema_path_join(const char *path, const char *name, char *ret_path, size_t capacity)
{
    size_t path_size = strlen(path);
    size_t name_size = strlen(name);
    size_t dot = path_size > 0;
    if (path_size + dot + name_size + 1 > capacity) {
        return false;
    }
    memcpy(ret_path, path, path_size);
    memcpy(ret_path + path_size, ".", dot);
    memcpy(ret_path + path_size + dot, name, name_size + 1);
    return true;
}
