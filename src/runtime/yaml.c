/*
 * Builds a tree of our own from the events of libfyaml, so that every bound and every refusal
 * (anchors, aliases, tags, duplicate keys, control characters) stands here. Not here: what the keys
 * mean.
 */
#include "yaml.h"

#include "../core/limits.h"

#include <errno.h>
#include <libfyaml.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct member {
    char *key; /* NULL in lists */
    int line, column;
    struct sync_yaml_node *value;
};

struct sync_yaml_node {
    enum sync_yaml_type type;
    bool quoted;
    int line, column;
    char *text;
    struct member *members;
    size_t count, capacity;
};

struct sync_yaml {
    char *name, *text;
    size_t size;
    struct sync_yaml_node *root;
};

/* State of one parse: the open collections, the outermost first. */
struct builder {
    struct sync_yaml *yaml;
    struct sync_yaml_node *open[SYNC_YAML_DEPTH_MAX];
    int depth;
    size_t nodes;
    char *key; /* of the open map: read, its value follows */
    int key_line, key_column;
    int documents;
    struct sync_error *err;
};

static sync_status build(struct builder *b, struct fy_parser *parser);
static sync_status read_all(const char *path, char **ret_text, size_t *ret_size,
                            struct sync_error *err);

sync_status sync_yaml_load(const char *path, struct sync_yaml **ret_yaml, struct sync_error *err)
{
    char *text = NULL;
    size_t size = 0;
    sync_status status = read_all(path, &text, &size, err);
    if (sync_is_ok(status)) {
        status = sync_yaml_parse(path, text, size, ret_yaml, err);
    }
    free(text);
    return status;
}

/* How many bytes follow the first one of a character; SIZE_MAX: no character begins so. NUL is
 * none: libfyaml would end the text there without a word. */
static size_t followers(unsigned char first)
{
    if (first == 0) {
        return SIZE_MAX;
    }
    if (first < 0x80) {
        return 0;
    }
    if (first < 0xc2 || first > 0xf4) {
        return SIZE_MAX;
    }
    return first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
}

/*
 * Length of the valid UTF-8 at the front. Checked before libfyaml sees the bytes, because it takes
 * FF FE for a change of encoding and drops what follows without a word.
 */
static size_t utf8_prefix(const char *text, size_t size)
{
    size_t at = 0;
    while (at < size) {
        unsigned char first = (unsigned char)text[at];
        size_t more = followers(first);
        if (more >= size - at) {
            return at;
        }
        unsigned char second = more > 0 ? (unsigned char)text[at + 1] : 0x80;
        bool surrogate = first == 0xed && second > 0x9f;
        bool overlong = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
        bool beyond = first == 0xf4 && second > 0x8f;
        for (size_t i = 1; i <= more; i++) {
            if (((unsigned char)text[at + i] & 0xc0) != 0x80) {
                return at;
            }
        }
        if (surrogate || overlong || beyond) {
            return at;
        }
        at += more + 1;
    }
    return at;
}

static sync_status check_utf8(const char *name, const char *text, size_t size,
                              struct sync_error *err)
{
    size_t good = utf8_prefix(text, size);
    if (good == size) {
        return SYNC_OK;
    }
    int line = 1, column = 1;
    for (size_t i = 0; i < good; i++) {
        column = text[i] == '\n' ? 1 : column + 1;
        line += text[i] == '\n';
    }
    return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_SYNTAX,
                     "%s:%d:%d: a byte is not UTF-8 text; save the file as UTF-8", name, line,
                     column);
}

/* The first message of libfyaml with its place; later ones follow from it. */
static sync_status syntax(const struct builder *b, struct fy_diag *diag)
{
    void *previous = NULL;
    const struct fy_diag_error *first = fy_diag_errors_iterate(diag, &previous);
    if (first == NULL) {
        return sync_fail(b->err, SYNC_CLASS_FATAL, SYNC_CODE_SYNTAX, "read %s: it is not YAML",
                         b->yaml->name);
    }
    return sync_fail(b->err, SYNC_CLASS_FATAL, SYNC_CODE_SYNTAX, "%s:%d:%d: not valid YAML: %s",
                     b->yaml->name, first->line, first->column, first->msg);
}

sync_status sync_yaml_parse(const char *name, const char *text, size_t size,
                            struct sync_yaml **ret_yaml, struct sync_error *err)
{
    sync_status status = check_utf8(name, text, size, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    struct sync_yaml *yaml = calloc(1, sizeof *yaml);
    SYNC_ASSERT(yaml != NULL);
    yaml->name = strdup(name);
    yaml->text = malloc(size + 1);
    SYNC_ASSERT(yaml->name != NULL && yaml->text != NULL);
    memcpy(yaml->text, text, size);
    yaml->text[size] = '\0';
    yaml->size = size;

    struct builder b = {.yaml = yaml, .err = err};
    struct fy_diag *diag = fy_diag_create(NULL);
    SYNC_ASSERT(diag != NULL);
    fy_diag_set_collect_errors(diag, true);
    struct fy_parse_cfg settings = {.flags = FYPCF_QUIET | FYPCF_DEFAULT_VERSION_1_2, .diag = diag};
    struct fy_parser *parser = fy_parser_create(&settings);
    SYNC_ASSERT(parser != NULL);
    if (size > 0) {
        SYNC_ASSERT(fy_parser_set_string(parser, yaml->text, size) == 0);
        status = build(&b, parser);
        if (sync_is_ok(status) && fy_parser_get_stream_error(parser)) {
            status = syntax(&b, diag);
        }
    }
    free(b.key);
    fy_parser_destroy(parser);
    fy_diag_destroy(diag);
    if (!sync_is_ok(status)) {
        sync_yaml_free(&yaml);
        return status;
    }
    *ret_yaml = yaml;
    return SYNC_OK;
}

/* The depth is bounded by the builder. */
static void free_node(struct sync_yaml_node *node)
{
    if (node == NULL) {
        return;
    }
    for (size_t i = 0; i < node->count; i++) {
        free(node->members[i].key);
        free_node(node->members[i].value);
    }
    free(node->members);
    free(node->text);
    free(node);
}

void sync_yaml_free(struct sync_yaml **yaml)
{
    if (*yaml == NULL) {
        return;
    }
    free_node((*yaml)->root);
    free((*yaml)->name);
    free((*yaml)->text);
    free(*yaml);
    *yaml = NULL;
}

const struct sync_yaml_node *sync_yaml_root(const struct sync_yaml *yaml)
{
    static const struct sync_yaml_node empty = {.type = SYNC_YAML_NULL, .line = 1, .column = 1};
    return yaml->root != NULL ? yaml->root : &empty;
}

const char *sync_yaml_name(const struct sync_yaml *yaml)
{
    return yaml->name;
}

void sync_yaml_excerpt(const struct sync_yaml *yaml, int line, char *ret_text, size_t size)
{
    const char *at = yaml->text;
    const char *end = yaml->text + yaml->size;
    for (int i = 1; i < line && at < end; i++) {
        const char *feed = memchr(at, '\n', (size_t)(end - at));
        at = feed != NULL ? feed + 1 : end;
    }
    size_t used = 0;
    while (at < end && *at != '\n' && *at != '\r' && used + 1 < size) {
        ret_text[used++] = *at++;
    }
    ret_text[used] = '\0';
}

enum sync_yaml_type sync_yaml_type_of(const struct sync_yaml_node *node)
{
    return node->type;
}

const char *sync_yaml_text(const struct sync_yaml_node *node)
{
    return node->text != NULL ? node->text : "";
}

bool sync_yaml_is_quoted(const struct sync_yaml_node *node)
{
    return node->quoted;
}

size_t sync_yaml_count(const struct sync_yaml_node *node)
{
    return node->count;
}

const struct sync_yaml_node *sync_yaml_at(const struct sync_yaml_node *node, size_t index,
                                          const char **ret_key)
{
    SYNC_ASSERT(index < node->count);
    if (ret_key != NULL) {
        *ret_key = node->members[index].key != NULL ? node->members[index].key : "";
    }
    return node->members[index].value;
}

const struct sync_yaml_node *sync_yaml_get(const struct sync_yaml_node *map, const char *key)
{
    if (map == NULL || map->type != SYNC_YAML_MAP) {
        return NULL;
    }
    for (size_t i = 0; i < map->count; i++) {
        if (strcmp(map->members[i].key, key) == 0) {
            return map->members[i].value;
        }
    }
    return NULL;
}

void sync_yaml_where(const struct sync_yaml_node *node, int *ret_line, int *ret_column)
{
    *ret_line = node->line;
    *ret_column = node->column;
}

void sync_yaml_where_key(const struct sync_yaml_node *map, size_t index, int *ret_line,
                         int *ret_column)
{
    SYNC_ASSERT(index < map->count);
    *ret_line = map->members[index].line;
    *ret_column = map->members[index].column;
}

static sync_status refuse(const struct builder *b, int line, int column, const char *reason)
{
    return sync_fail(b->err, SYNC_CLASS_FATAL, SYNC_CODE_SYNTAX, "%s:%d:%d: %s", b->yaml->name,
                     line, column, reason);
}

static void mark_of(struct fy_event *event, int *ret_line, int *ret_column)
{
    const struct fy_mark *mark = fy_event_start_mark(event);
    *ret_line = mark != NULL ? mark->line + 1 : 1;
    *ret_column = mark != NULL ? mark->column + 1 : 1;
}

/* Hangs a node into the open collection, or makes it the root. Takes the node over, also on
 * failure. */
static sync_status attach(struct builder *b, struct sync_yaml_node *node)
{
    if (b->depth == 0) {
        SYNC_ASSERT(b->yaml->root == NULL);
        b->yaml->root = node;
        return SYNC_OK;
    }
    struct sync_yaml_node *parent = b->open[b->depth - 1];
    if (parent->count == SYNC_YAML_MEMBERS_MAX) {
        int line = node->line, column = node->column;
        free_node(node);
        return refuse(b, line, column, "too many entries in one map or list");
    }
    if (parent->count == parent->capacity) {
        parent->capacity = parent->capacity == 0 ? 8 : 2 * parent->capacity;
        parent->members = realloc(parent->members, parent->capacity * sizeof *parent->members);
        SYNC_ASSERT(parent->members != NULL);
    }
    parent->members[parent->count++] =
        (struct member){.key = b->key, .line = b->key_line, .column = b->key_column, .value = node};
    b->key = NULL;
    return SYNC_OK;
}

static bool is_null(const char *text, bool quoted)
{
    return !quoted && (text[0] == '\0' || strcmp(text, "~") == 0 || strcmp(text, "null") == 0);
}

static bool is_clean(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        if ((c < 0x20 && c != '\t' && c != '\n') || c == 0x7f) {
            return false;
        }
    }
    return true;
}

/* A scalar in the place of a key. */
static sync_status take_key(struct builder *b, const struct sync_yaml_node *node)
{
    const struct sync_yaml_node *map = b->open[b->depth - 1];
    if (node->type != SYNC_YAML_SCALAR || node->text[0] == '\0') {
        return refuse(b, node->line, node->column, "a key is empty");
    }
    if (sync_yaml_get(map, node->text) != NULL) {
        return sync_fail(b->err, SYNC_CLASS_FATAL, SYNC_CODE_SYNTAX,
                         "%s:%d:%d: the key \"%.60s\" stands twice; remove one", b->yaml->name,
                         node->line, node->column, node->text);
    }
    b->key = strdup(node->text);
    SYNC_ASSERT(b->key != NULL);
    b->key_line = node->line;
    b->key_column = node->column;
    return SYNC_OK;
}

static bool wants_key(const struct builder *b)
{
    return b->depth > 0 && b->open[b->depth - 1]->type == SYNC_YAML_MAP && b->key == NULL;
}

static struct sync_yaml_node *new_node(struct fy_event *event, enum sync_yaml_type type)
{
    struct sync_yaml_node *node = calloc(1, sizeof *node);
    SYNC_ASSERT(node != NULL);
    node->type = type;
    mark_of(event, &node->line, &node->column);
    return node;
}

/* A value that is left out has no place of its own: it stands at its key, or at its list. */
static void place_empty(const struct builder *b, struct sync_yaml_node *node)
{
    if (b->key != NULL) {
        node->line = b->key_line;
        node->column = b->key_column;
    } else if (b->depth > 0) {
        node->line = b->open[b->depth - 1]->line;
        node->column = b->open[b->depth - 1]->column;
    }
}

/* A backslash that only blanks part from the end of its line. */
static bool has_backslash_at_end_of_line(const char *text, size_t size)
{
    bool backslash = false;
    for (size_t i = 0; i < size; i++) {
        if (backslash && (text[i] == '\n' || text[i] == '\r')) {
            return true;
        }
        backslash = text[i] == '\\' || (backslash && (text[i] == ' ' || text[i] == '\t'));
    }
    return false;
}

/*
 * What libfyaml 0.7.12 reads as another text than was written; NULL: nothing. It counts n doubled
 * quotes that touch as 2n - 1, and takes a backslash at the end of a line for a continuation too
 * often. Then it cuts the text at its true length, also inside a character, and may lose memory. So
 * it is never asked for such a text.
 */
static const char *misread(const struct builder *b, struct fy_event *event)
{
    const struct fy_mark *start = fy_event_start_mark(event);
    const struct fy_mark *end = fy_event_end_mark(event);
    if (event->scalar.value == NULL || start == NULL || end == NULL) {
        return NULL;
    }
    SYNC_ASSERT(start->input_pos <= end->input_pos && end->input_pos <= b->yaml->size);
    const char *inner = b->yaml->text + start->input_pos; /* without the outer quotes */
    size_t size = end->input_pos - start->input_pos;
    enum fy_scalar_style style = fy_token_scalar_style(event->scalar.value);
    if (style == FYSS_SINGLE_QUOTED && memmem(inner, size, "''''", 4) != NULL) {
        return "doubled single quotes that touch are not taken here; write the text between double "
               "quotes";
    }
    if (style == FYSS_DOUBLE_QUOTED && has_backslash_at_end_of_line(inner, size)) {
        return "a backslash at the end of a line is not taken between double quotes; write the "
               "text "
               "on one line";
    }
    return NULL;
}

static sync_status take_scalar(struct builder *b, struct fy_event *event)
{
    const char *reason = misread(b, event);
    if (reason != NULL) {
        int at_line = 1, at_column = 1;
        mark_of(event, &at_line, &at_column);
        return refuse(b, at_line, at_column, reason);
    }
    size_t size = 0;
    const char *text = fy_token_get_text(event->scalar.value, &size);
    struct sync_yaml_node *node = new_node(event, SYNC_YAML_SCALAR);
    int line = node->line, column = node->column;
    if (event->scalar.anchor != NULL || event->scalar.tag != NULL || !is_clean(text, size)) {
        free_node(node);
        return refuse(b, line, column, "anchors, tags and control characters are not taken here");
    }
    node->text = strndup(text != NULL ? text : "", size);
    SYNC_ASSERT(node->text != NULL);
    node->quoted =
        event->scalar.value != NULL && fy_token_scalar_style(event->scalar.value) != FYSS_PLAIN;
    if (is_null(node->text, node->quoted)) {
        node->type = SYNC_YAML_NULL;
    }
    if (size == 0 && !node->quoted) {
        place_empty(b, node);
    }
    if (wants_key(b)) {
        sync_status status = take_key(b, node);
        free_node(node);
        return status;
    }
    return attach(b, node);
}

static sync_status open_collection(struct builder *b, struct fy_event *event,
                                   enum sync_yaml_type type)
{
    bool decorated =
        type == SYNC_YAML_MAP
            ? event->mapping_start.anchor != NULL || event->mapping_start.tag != NULL
            : event->sequence_start.anchor != NULL || event->sequence_start.tag != NULL;
    struct sync_yaml_node *node = new_node(event, type);
    const char *reason = NULL;
    if (decorated) {
        reason = "anchors and tags are not taken here";
    } else if (wants_key(b)) {
        reason = "a key must be plain text";
    } else if (b->depth == SYNC_YAML_DEPTH_MAX) {
        reason = "nested too deeply";
    }
    if (reason != NULL) {
        int line = node->line, column = node->column;
        free_node(node);
        return refuse(b, line, column, reason);
    }
    sync_status status = attach(b, node);
    if (sync_is_ok(status)) {
        b->open[b->depth++] = node;
    }
    return status;
}

static sync_status take_event(struct builder *b, struct fy_event *event)
{
    int line = 1, column = 1;
    if (event->type == FYET_SCALAR || event->type == FYET_MAPPING_START ||
        event->type == FYET_SEQUENCE_START) {
        mark_of(event, &line, &column);
        if (++b->nodes > SYNC_YAML_NODES_MAX) {
            return refuse(b, line, column, "too many entries in one file");
        }
    }
    switch (event->type) {
    case FYET_SCALAR:
        return take_scalar(b, event);
    case FYET_MAPPING_START:
        return open_collection(b, event, SYNC_YAML_MAP);
    case FYET_SEQUENCE_START:
        return open_collection(b, event, SYNC_YAML_LIST);
    case FYET_MAPPING_END:
    case FYET_SEQUENCE_END:
        SYNC_ASSERT(b->depth > 0);
        b->depth--;
        return SYNC_OK;
    case FYET_ALIAS:
        mark_of(event, &line, &column);
        return refuse(b, line, column, "aliases are not taken here; write the value out");
    case FYET_DOCUMENT_START:
        if (++b->documents > 1) {
            mark_of(event, &line, &column);
            return refuse(b, line, column, "a second document begins; one file holds one");
        }
        return SYNC_OK;
    case FYET_NONE:
    case FYET_STREAM_START:
    case FYET_STREAM_END:
    case FYET_DOCUMENT_END:
        return SYNC_OK;
    }
    return SYNC_OK;
}

/* Ends at the end of the stream, at a syntax error (the caller asks the parser) or at a refusal. */
static sync_status build(struct builder *b, struct fy_parser *parser)
{
    sync_status status = SYNC_OK;
    while (sync_is_ok(status)) {
        struct fy_event *event = fy_parser_parse(parser);
        if (event == NULL) {
            break;
        }
        status = take_event(b, event);
        fy_parser_event_free(parser, event);
    }
    return status;
}

static sync_status read_all(const char *path, char **ret_text, size_t *ret_size,
                            struct sync_error *err)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_FILE, "read %s: %s", path,
                         strerror(errno));
    }
    char *text = NULL;
    size_t size = 0, capacity = 4096;
    errno = 0;
    do { /* grows as it reads: the file may be a pipe, and most have a few KiB */
        capacity *= 2;
        text = realloc(text, capacity);
        SYNC_ASSERT(text != NULL);
        size += fread(text + size, 1, capacity - size, file);
    } while (size == capacity && size <= SYNC_FILE_BYTES_MAX);
    int reason = ferror(file) ? errno : 0;
    (void)fclose(file); /* read only: nothing can be lost */
    if (reason != 0 || size > SYNC_FILE_BYTES_MAX) {
        free(text);
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_FILE, "read %s: %s", path,
                         reason != 0 ? strerror(reason) : "larger than 1 MiB");
    }
    *ret_text = text;
    *ret_size = size;
    return SYNC_OK;
}
