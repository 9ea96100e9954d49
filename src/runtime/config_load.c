/*
 * Gathers the layers: defaults < file(s) < conf.d < environment < flags. Not here: the options
 * themselves (config.c) and their relations (config_check.c).
 */
#include "config_rows.h"

#include "client_file.h"
#include "secret.h"
#include "suggest.h"
#include "yaml.h"

#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ENV_PREFIX        "ALTINN_SYNC_"
#define ENV_FILE          "ALTINN_SYNC_CONFIG"
#define DEFAULT_FILE      "altinn-sync.yaml"
#define DROP_IN_FILES_MAX 64
#define CANDIDATES_MAX    (2 * SYNC_CONFIG_OPTIONS_MAX)

/* Names that would have been understood in a section; section "" asks for sections. */
static size_t known_names(const char *section, const char **ret_names)
{
    size_t count = 0;
    for (size_t i = 0; i < sync_option_row_count; i++) {
        const struct sync_option_row *row = &sync_option_rows[i];
        bool repeats = i > 0 && strcmp(row->section, sync_option_rows[i - 1].section) == 0;
        if (section[0] == '\0' && !repeats) {
            ret_names[count++] = row->section;
        } else if (strcmp(row->section, section) == 0) {
            ret_names[count++] = row->key;
        }
    }
    if (strcmp(section, "kafka") == 0) {
        ret_names[count++] = "properties";
    }
    return count;
}

static sync_status unknown(const char *where, const char *section, const char *key,
                           struct sync_error *err)
{
    const char *names[CANDIDATES_MAX];
    size_t count = known_names(section, names);
    const char *near = sync_suggest(key, names, count);
    const char *dot = section[0] != '\0' ? "." : "";
    if (near == NULL) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_UNKNOWN_KEY,
                         "%s: there is no setting %s%s%.60s; \"altinn-sync config show\" lists all",
                         where, section, dot, key);
    }
    return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_UNKNOWN_KEY,
                     "%s: there is no setting %s%s%.60s; did you mean %s%s%s?", where, section, dot,
                     key, section, dot, near);
}

/* file:line:column and file:line of a member of a map; the end of a long path says more than its
 * start. */
struct spot {
    char where[SYNC_CONFIG_ORIGIN_MAX], origin[SYNC_CONFIG_ORIGIN_MAX];
    struct sync_config_place place;
};

static void spot_of(const struct sync_yaml *yaml, int line, int column, struct spot *ret_spot)
{
    const char *name = sync_yaml_name(yaml);
    size_t size = strlen(name);
    const char *tail = size > 100 ? name + size - 100 : name;
    (void)snprintf(ret_spot->where, sizeof ret_spot->where, "%s:%d:%d", tail, line, column);
    (void)snprintf(ret_spot->origin, sizeof ret_spot->origin, "%s:%d", tail, line);
    ret_spot->place = (struct sync_config_place){ret_spot->where, ret_spot->origin};
}

static void spot_of_value(const struct sync_yaml *yaml, const struct sync_yaml_node *value,
                          struct spot *ret_spot)
{
    int line = 0, column = 0;
    sync_yaml_where(value, &line, &column);
    spot_of(yaml, line, column, ret_spot);
}

static void spot_of_key(const struct sync_yaml *yaml, const struct sync_yaml_node *map,
                        size_t index, struct spot *ret_spot)
{
    int line = 0, column = 0;
    sync_yaml_where_key(map, index, &line, &column);
    spot_of(yaml, line, column, ret_spot);
}

static sync_status not_a(const struct spot *spot, const char *name, const char *wanted,
                         struct sync_error *err)
{
    return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_CONFIG, "%s: %.80s must be %s", spot->where,
                     name, wanted);
}

static sync_status take_properties(struct sync_config *config, const struct sync_yaml *yaml,
                                   const struct sync_yaml_node *map, struct sync_error *err)
{
    struct spot spot;
    spot_of_value(yaml, map, &spot);
    if (sync_yaml_type_of(map) == SYNC_YAML_NULL) {
        return SYNC_OK;
    }
    if (sync_yaml_type_of(map) != SYNC_YAML_MAP) {
        return not_a(&spot, "kafka.properties", "a map of properties of the Kafka client", err);
    }
    for (size_t i = 0; i < sync_yaml_count(map); i++) {
        const char *key = NULL;
        const struct sync_yaml_node *value = sync_yaml_at(map, i, &key);
        spot_of_value(yaml, value, &spot);
        if (sync_yaml_type_of(value) != SYNC_YAML_SCALAR) {
            return not_a(&spot, key, "one value", err);
        }
        sync_status status =
            sync_config_set_property(config, key, sync_yaml_text(value), &spot.place, err);
        if (!sync_is_ok(status)) {
            return status;
        }
    }
    return SYNC_OK;
}

static sync_status take_section(struct sync_config *config, const struct sync_yaml *yaml,
                                const char *section, const struct sync_yaml_node *map,
                                struct sync_error *err)
{
    struct spot spot;
    for (size_t i = 0; i < sync_yaml_count(map); i++) {
        const char *key = NULL;
        const struct sync_yaml_node *value = sync_yaml_at(map, i, &key);
        int row = sync_config_row(section, key);
        sync_status status = SYNC_OK;
        if (row < 0 && strcmp(section, "kafka") == 0 && strcmp(key, "properties") == 0) {
            status = take_properties(config, yaml, value, err);
        } else if (row < 0) {
            spot_of_key(yaml, map, i, &spot);
            status = unknown(spot.where, section, key, err);
        } else if (sync_yaml_type_of(value) != SYNC_YAML_SCALAR) {
            char name[128];
            (void)snprintf(name, sizeof name, "%s.%s", section, key);
            spot_of_value(yaml, value, &spot);
            status = not_a(&spot, name, "one value; write \"\" for none", err);
        } else {
            spot_of_value(yaml, value, &spot);
            status = sync_config_set(config, row, sync_yaml_text(value), &spot.place, err);
        }
        if (!sync_is_ok(status)) {
            return status;
        }
    }
    return SYNC_OK;
}

static bool is_section(const char *name)
{
    const char *names[CANDIDATES_MAX];
    size_t count = known_names("", names);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static sync_status take_document(struct sync_config *config, const struct sync_yaml *yaml,
                                 struct sync_error *err)
{
    const struct sync_yaml_node *root = sync_yaml_root(yaml);
    struct spot spot;
    spot_of_value(yaml, root, &spot);
    if (sync_yaml_type_of(root) == SYNC_YAML_NULL) {
        return SYNC_OK;
    }
    if (sync_yaml_type_of(root) != SYNC_YAML_MAP) {
        return not_a(&spot, "the file", "a map of sections such as kafka and database", err);
    }
    for (size_t i = 0; i < sync_yaml_count(root); i++) {
        const char *section = NULL;
        const struct sync_yaml_node *map = sync_yaml_at(root, i, &section);
        spot_of_key(yaml, root, i, &spot);
        if (!is_section(section)) {
            return unknown(spot.where, "", section, err);
        }
        enum sync_yaml_type type = sync_yaml_type_of(map);
        if (type != SYNC_YAML_MAP && type != SYNC_YAML_NULL) {
            return not_a(&spot, section, "a map of settings", err);
        }
        sync_status status = take_section(config, yaml, section, map, err);
        if (!sync_is_ok(status)) {
            return status;
        }
    }
    return SYNC_OK;
}

static sync_status take_file(struct sync_config *config, const char *path, struct sync_error *err)
{
    struct sync_yaml *yaml = NULL;
    sync_status status = sync_yaml_load(path, &yaml, err);
    if (sync_is_ok(status)) {
        status = take_document(config, yaml, err);
    }
    sync_yaml_free(&yaml);
    return status;
}

static int is_drop_in(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');
    return entry->d_name[0] != '.' && dot != NULL &&
           (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0);
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* conf.d beside a file; it may be missing. */
static sync_status take_drop_ins(struct sync_config *config, const char *file,
                                 struct sync_error *err)
{
    char directory[PATH_MAX], path[PATH_MAX + NAME_MAX + 2];
    const char *slash = strrchr(file, '/');
    (void)snprintf(directory, sizeof directory, "%.*sconf.d",
                   slash != NULL ? (int)(slash - file + 1) : 0, file);
    struct dirent **entries = NULL;
    int count = scandir(directory, &entries, is_drop_in, by_bytes);
    sync_status status = SYNC_OK;
    if (count > DROP_IN_FILES_MAX) {
        status = sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_CONFIG,
                           "read %.150s: it holds %d files and at most %d are read", directory,
                           count, DROP_IN_FILES_MAX);
    }
    for (int i = 0; i < count; i++) {
        if (sync_is_ok(status)) {
            (void)snprintf(path, sizeof path, "%s/%s", directory, entries[i]->d_name);
            status = take_file(config, path, err);
        }
        free(entries[i]);
    }
    free(entries);
    return status;
}

/* Two files of one directory share its conf.d, which is read once, after both. */
static bool same_directory(const char *a, const char *b)
{
    const char *end_a = strrchr(a, '/'), *end_b = strrchr(b, '/');
    size_t size_a = end_a != NULL ? (size_t)(end_a - a) : 0;
    size_t size_b = end_b != NULL ? (size_t)(end_b - b) : 0;
    return size_a == size_b && (end_a == NULL) == (end_b == NULL) && memcmp(a, b, size_a) == 0;
}

static sync_status take_files(struct sync_config *config, const char *const *files, int count,
                              struct sync_error *err)
{
    sync_status status = SYNC_OK;
    for (int i = 0; i < count && sync_is_ok(status); i++) {
        status = take_file(config, files[i], err);
    }
    for (int i = 0; i < count && sync_is_ok(status); i++) {
        bool repeats = false;
        for (int j = 0; j < i; j++) {
            repeats = repeats || same_directory(files[i], files[j]);
        }
        status = repeats ? SYNC_OK : take_drop_ins(config, files[i], err);
    }
    return status;
}

/* "ALTINN_SYNC_KAFKA__BOOTSTRAP_SERVERS" -> "kafka", "bootstrap_servers". */
static void split_variable(const char *name, size_t name_size, char *ret_section, char *ret_key)
{
    const char *at = name + strlen(ENV_PREFIX);
    const char *end = name + name_size;
    const char *mark = strstr(at, "__");
    size_t used = 0;
    for (; at < mark && used < 63; at++) {
        ret_section[used++] = (char)tolower((unsigned char)*at);
    }
    ret_section[used] = '\0';
    used = 0;
    for (at = mark + 2; at < end && used < 63; at++) {
        ret_key[used++] = (char)tolower((unsigned char)*at);
    }
    ret_key[used] = '\0';
}

static sync_status take_variable(struct sync_config *config, const char *entry, size_t name_size,
                                 struct sync_error *err)
{
    char section[64], key[64], where[SYNC_CONFIG_ORIGIN_MAX];
    split_variable(entry, name_size, section, key);
    (void)snprintf(where, sizeof where, "environment %.*s", (int)name_size, entry);
    struct sync_config_place place = {where, where};
    int row = sync_config_row(section, key);
    if (row >= 0) {
        return sync_config_set(config, row, entry + name_size + 1, &place, err);
    }
    if (strcmp(section, "kafka") == 0 && strcmp(key, "properties") == 0) {
        return sync_fail(
            err, SYNC_CLASS_FATAL, SYNC_CODE_CONFIG,
            "%s: kafka.properties is a map; write it into the file or use -X name=value", where);
    }
    return is_section(section) ? unknown(where, section, key, err)
                               : unknown(where, "", section, err);
}

/* Only names with the double underscore are ours: a Kubernetes service called altinn-sync makes the
 * kubelet set ALTINN_SYNC_SERVICE_HOST, ALTINN_SYNC_PORT and more. */
static sync_status take_environment(struct sync_config *config, struct sync_error *err)
{
    for (char **entry = environ; *entry != NULL; entry++) {
        const char *equals = strchr(*entry, '=');
        const char *mark = strstr(*entry, "__");
        if (equals == NULL || mark == NULL || mark > equals ||
            strncmp(*entry, ENV_PREFIX, strlen(ENV_PREFIX)) != 0) {
            continue;
        }
        sync_status status = take_variable(config, *entry, (size_t)(equals - *entry), err);
        if (!sync_is_ok(status)) {
            return status;
        }
    }
    return SYNC_OK;
}

/* A client.properties as other tools have it: the brokers have an option of their own here, and a
 * secret may stand in it when nobody else may read it. */
static sync_status take_client_property(void *context, const struct sync_client_property *property,
                                        struct sync_error *err)
{
    struct sync_config *config = context;
    char where[SYNC_CONFIG_ORIGIN_MAX];
    size_t size = strlen(property->path);
    (void)snprintf(where, sizeof where, "%s:%d",
                   size > 100 ? property->path + size - 100 : property->path, property->line);
    struct sync_config_place place = {where, where};
    if (strcmp(property->name, "bootstrap.servers") == 0) {
        int row = sync_config_row("kafka", "bootstrap_servers");
        return sync_config_set(config, row, property->value, &place, err);
    }
    if (!sync_config_is_secret(property->name)) {
        return sync_config_set_property(config, property->name, property->value, &place, err);
    }
    sync_status status = sync_secret_check_open(property->name, property->path, property->fd, err);
    return sync_is_ok(status)
               ? sync_config_set_secret(config, property->name, property->value, &place, err)
               : sync_wrap(err, "%s", where);
}

/* -X beats -F, as the one that is typed beats the one that lies there. */
static sync_status take_flags(struct sync_config *config, const struct sync_config_sources *sources,
                              struct sync_error *err)
{
    static const struct sync_config_place place = {"flag -X", "flag -X"};
    if (sources->client_file != NULL) {
        sync_status status =
            sync_client_file_read(sources->client_file, take_client_property, config, err);
        if (!sync_is_ok(status)) {
            return status;
        }
    }
    for (size_t i = 0; sources->properties[i] != NULL; i += 2) {
        sync_status status = sync_config_set_property(config, sources->properties[i],
                                                      sources->properties[i + 1], &place, err);
        if (!sync_is_ok(status)) {
            return status;
        }
    }
    return SYNC_OK;
}

static sync_status take_defaults(struct sync_config *config, struct sync_error *err)
{
    static const struct sync_config_place place = {"default", "default"};
    for (size_t i = 0; i < sync_option_row_count; i++) {
        sync_status status =
            sync_config_set(config, (int)i, sync_option_rows[i].fallback, &place, err);
        SYNC_ASSERT(sync_is_ok(status)); /* a default outside its own range is our mistake */
    }
    return SYNC_OK;
}

/* --dev lays topics.dev.yaml over topics.yaml, unless the configuration names another overlay. */
static void take_dev(struct sync_config *config, const struct sync_config_sources *sources)
{
    config->dev = sources->dev;
    if (!sources->dev || config->topics_overlay[0] != '\0') {
        return;
    }
    size_t size = strlen(config->topics_file);
    size_t stem =
        size > 5 && strcmp(config->topics_file + size - 5, ".yaml") == 0 ? size - 5 : size;
    if (stem + strlen(".dev.yaml") >= sizeof config->topics_overlay) {
        return;
    }
    memcpy(config->topics_overlay, config->topics_file, stem);
    strcpy(config->topics_overlay + stem, ".dev.yaml");
    int row = sync_config_row("topics", "overlay");
    (void)snprintf(config->origins[row], sizeof config->origins[row], "flag --dev");
}

/* The files to read: flags, else the variable, else the file of this directory where there is one.
 */
static int choose_files(const struct sync_config_sources *sources, const char **ret_files)
{
    if (sources->file_count > 0) {
        memcpy(ret_files, sources->files, (size_t)sources->file_count * sizeof *ret_files);
        return sources->file_count;
    }
    const char *named = getenv(ENV_FILE);
    if (named != NULL && named[0] != '\0') {
        ret_files[0] = named;
        return 1;
    }
    ret_files[0] = DEFAULT_FILE;
    return access(DEFAULT_FILE, F_OK) == 0 ? 1 : 0;
}

sync_status sync_config_load(const struct sync_config_sources *sources,
                             struct sync_config *ret_config, struct sync_error *err)
{
    const char *files[SYNC_CONFIG_FILES_MAX];
    SYNC_ASSERT(sources->file_count <= SYNC_CONFIG_FILES_MAX);
    memset(ret_config, 0, sizeof *ret_config);
    int count = choose_files(sources, files);
    sync_status status = take_defaults(ret_config, err);
    if (sync_is_ok(status)) {
        status = take_files(ret_config, files, count, err);
    }
    if (sync_is_ok(status)) {
        status = take_environment(ret_config, err);
    }
    if (sync_is_ok(status)) {
        status = take_flags(ret_config, sources, err);
    }
    if (sync_is_ok(status)) {
        take_dev(ret_config, sources);
        status = sync_config_check(ret_config, err);
    }
    if (!sync_is_ok(status)) {
        sync_config_done(ret_config);
    }
    return status;
}
