/*
 * load FILE: reads JSON lines in chunks and has them written (load_chunk.c). Not here: what a line
 * means, which stands in docs/load-format.md and in the entity's loader.
 */
#include "cli.h"
#include "load_chunk.h"

#include "../core/limits.h"
#include "../runtime/clock.h"
#include "../runtime/home.h"
#include "../runtime/json.h"
#include "../runtime/route.h"
#include "../runtime/suggest.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#define PROGRESS_US 1000000

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

/* Everything one call owns. */
struct load {
    struct sync_cli *cli;
    struct load_run run;
    const char *name; /* of the file, for messages */
    FILE *file;
    struct sync_topics *topics;
    struct sync_schema_set *schemas;
    struct sync_decoder *decoder;
    struct sync_db *db;
    uint8_t *chunk_memory, *batch_memory;
    char *text;              /* one line */
    struct sync_arena arena; /* of the lines of a chunk */
    struct sync_load_line lines[SYNC_LOAD_ROWS_MAX];
    size_t line_count, byte_count, line_number;
    int64_t progress_us;
    int64_t written, known, refused;
};

static void load_done(struct load **load)
{
    if (!*load) {
        return;
    }
    const struct sync_applier *applier = &(*load)->run.applier;
    if (applier->store_context) {
        applier->store->close(&(*load)->run.applier.store_context);
    }
    sync_db_free(&(*load)->db);
    sync_decoder_free(&(*load)->decoder);
    sync_schema_set_free(&(*load)->schemas);
    free((*load)->topics);
    if ((*load)->file && (*load)->file != stdin) {
        (void)fclose((*load)->file);
    }
    free((*load)->chunk_memory);
    free((*load)->batch_memory);
    free((*load)->text);
    free(*load);
    *load = NULL;
}

/* Set-up
 * --------------------------------------------------------------------------------------------- */

static bool find_route(struct load *load)
{
    struct sync_applier *applier = &load->run.applier;
    applier->route = sync_route_find(load->run.loader->route, &applier->processor);
    if (applier->route == NULL) {
        return false;
    }
    applier->scope = applier->route->name;
    applier->store = sync_store_find(applier->processor->store);
    return applier->store != NULL;
}

static sync_status open_settings(struct load *load, struct sync_error *err)
{
    const struct sync_config *config = &load->cli->config;
    const char *paths[] = {config->topics_file, config->topics_overlay};
    struct sync_applier *applier = &load->run.applier;
    sync_status status =
        sync_topics_load(paths, config->topics_overlay[0] ? 2 : 1, &load->topics, NULL, err);
    if (sync_is_ok(status)) {
        status = sync_schema_set_new(config->schemas_dir, &load->schemas, err);
    }
    if (sync_is_ok(status)) {
        status = sync_decoder_new(load->schemas, applier->processor, &load->decoder, err);
    }
    if (sync_is_ok(status) && applier->store->open != NULL) {
        status = applier->store->open(config, &applier->store_context, err);
    }
    applier->topics = load->topics;
    applier->config = config;
    applier->decoder = load->decoder;
    applier->decision_mode = strcmp(config->decision_mode, "full") == 0      ? 2
                             : strcmp(config->decision_mode, "sampled") == 0 ? 1
                                                                             : 0;
    applier->keep_parked_bytes = config->loopback;
    return status;
}

/* Rows are written under an origin of the route's pool, so that no capture reports them as news. */
static sync_status open_database(struct load *load, struct sync_error *err)
{
    char prefix[80];
    (void)snprintf(prefix, sizeof prefix, "sync:%s", load->run.loader->route);
    struct sync_home home;
    sync_status status =
        sync_home_find(&load->cli->config, load->run.applier.processor->home, "load", &home, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    struct sync_db_options options = {.dsn = home.dsn,
                                      .setting = home.setting,
                                      .application = "altinn-sync load",
                                      .origin_prefix = prefix,
                                      .origin_pool = (int)load->cli->config.origin_pool};
    status = sync_db_new(&options, &load->db, err);
    if (sync_is_ok(status)) {
        status = sync_db_connect(load->db, err);
    }
    load->run.applier.db = load->db;
    return status;
}

static sync_status open_file(struct load *load, const char *path, struct sync_error *err)
{
    load->name = strcmp(path, "-") == 0 ? "standard input" : path;
    load->file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    if (!load->file) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_FILE, "open %s: %s", path,
                         strerror(errno));
    }
    return SYNC_OK;
}

static sync_status load_open(struct load *load, const char *path, struct sync_error *err)
{
    load->chunk_memory = malloc(SYNC_LOAD_ARENA_BYTES);
    load->batch_memory = malloc(SYNC_BATCH_ARENA_BYTES);
    load->text = malloc(SYNC_LOAD_LINE_BYTES_MAX + 1);
    if (!load->chunk_memory || !load->batch_memory || !load->text) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_MEMORY_LIMIT, "load: no memory");
    }
    sync_arena_init(&load->arena, load->chunk_memory, SYNC_LOAD_ARENA_BYTES);
    sync_arena_init(&load->run.arena, load->batch_memory, SYNC_BATCH_ARENA_BYTES);
    return open_file(load, path, err);
}

/* What depends on what the lines mean: the route, its settings and its home. */
static sync_status load_begin(struct load *load, const struct sync_loader *loader,
                              struct sync_error *err)
{
    load->run.loader = loader;
    if (!find_route(load)) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_INTERNAL, "load: no store of route %s",
                         loader->route);
    }
    sync_status status = open_settings(load, err);
    return sync_is_ok(status) ? open_database(load, err) : status;
}

/* Lines
 * ---------------------------------------------------------------------------------------------- */

static void report(const struct load *load, const struct sync_load_line *line)
{
    const struct sync_error *error = &line->error;
    (void)fprintf(stderr, "%s:%zu: %s%s%s\n", load->name, line->number, error->field,
                  error->field[0] ? ": " : "", error->text);
}

static void show_progress(struct load *load)
{
    int64_t now_us = sync_clock_monotonic_us();
    if (load->cli->quiet || now_us - load->progress_us < PROGRESS_US) {
        return;
    }
    load->progress_us = now_us;
    (void)fprintf(stderr,
                  "altinn-sync: line %zu: %lld loaded, %lld known, %lld wrong, %lld released\n",
                  load->line_number, (long long)load->written, (long long)load->known,
                  (long long)load->refused, (long long)load->run.released);
}

static sync_status flush(struct load *load, struct sync_error *err)
{
    if (!load->run.loader) {
        return SYNC_OK; /* no line was any good */
    }
    sync_status status = load_chunk_write(&load->run, load->lines, load->line_count, err);
    if (!sync_is_ok(status)) {
        size_t first = load->line_count > 0 ? load->lines[0].number : load->line_number;
        return sync_wrap(err, "load from line %zu on", first);
    }
    for (size_t i = 0; i < load->line_count; i++) {
        const struct sync_load_line *line = &load->lines[i];
        if (line->refused) {
            report(load, line);
        }
        load->refused += line->refused;
        load->known += !line->refused && line->known;
        load->written += !line->refused && !line->known;
    }
    load->line_count = 0;
    load->byte_count = 0;
    sync_arena_reset(&load->arena, 0);
    show_progress(load);
    return SYNC_OK;
}

/* The first line of a type that is known says what the file holds; those before it are wrong. */
static sync_status meet_first(struct load *load, struct sync_bytes text, struct sync_error *err)
{
    struct sync_json *json = NULL;
    struct sync_load_line line = {.number = load->line_number, .refused = true};
    sync_status status = sync_json_parse(text, &json, &line.error);
    const struct sync_loader *loader = NULL;
    if (sync_is_ok(status)) {
        loader = sync_loader_for(sync_json_text(sync_json_get(json, "type")));
    }
    sync_json_free(&json);
    if (loader) {
        return load_begin(load, loader, err);
    }
    if (sync_is_ok(status)) {
        (void)sync_fail_field(&line.error, SYNC_CLASS_PARK, SYNC_CODE_FIELD_RANGE, "type",
                              "the value is no type of line that this program loads");
    }
    report(load, &line);
    load->refused++;
    return SYNC_OK;
}

/* Adds the line to the chunk; a wrong one takes its place there too, so that reports keep their
 * order. */
static sync_status add_line(struct load *load, struct sync_bytes text, struct sync_error *err)
{
    struct sync_load_line line = {.number = load->line_number};
    sync_status status = load->run.loader ? SYNC_OK : meet_first(load, text, err);
    if (!sync_is_ok(status) || !load->run.loader) {
        return status;
    }
    status = load->run.loader->parse(text, &load->arena, &line.item, &line.error);
    if (status.class == SYNC_CLASS_RETRY && load->line_count > 0) {
        status = flush(load, err);
        if (!sync_is_ok(status)) {
            return status;
        }
        status = load->run.loader->parse(text, &load->arena, &line.item, &line.error);
    }
    line.refused = !sync_is_ok(status);
    load->lines[load->line_count++] = line;
    load->byte_count += text.size;
    if (load->line_count < SYNC_LOAD_ROWS_MAX && load->byte_count < SYNC_LOAD_CHUNK_BYTES_MAX) {
        return SYNC_OK;
    }
    return flush(load, err);
}

/* Reads one line without its end; false at the end of the file. A longer one is cut and told. */
static bool read_line(struct load *load, size_t *ret_size, bool *ret_oversize)
{
    int character;
    *ret_size = 0;
    *ret_oversize = false;
    while ((character = getc_unlocked(load->file)) != EOF && character != '\n') {
        if (*ret_size == SYNC_LOAD_LINE_BYTES_MAX) {
            *ret_oversize = true;
            continue;
        }
        load->text[(*ret_size)++] = (char)character;
    }
    return character != EOF || *ret_size > 0;
}

static bool is_blank(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (text[i] != ' ' && text[i] != '\t' && text[i] != '\r') {
            return false;
        }
    }
    return true;
}

static sync_status read_file(struct load *load, struct sync_error *err)
{
    size_t size;
    bool oversize;
    while (!interrupted && read_line(load, &size, &oversize)) {
        load->line_number++;
        if (oversize) {
            load->refused++;
            (void)fprintf(stderr, "%s:%zu: the line is longer than %d bytes\n", load->name,
                          load->line_number, SYNC_LOAD_LINE_BYTES_MAX);
            continue;
        }
        if (is_blank(load->text, size)) {
            continue;
        }
        sync_status status =
            add_line(load, (struct sync_bytes){(const uint8_t *)load->text, size}, err);
        if (!sync_is_ok(status)) {
            return status;
        }
    }
    if (ferror(load->file)) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_FILE, "read %s: %s", load->name,
                         strerror(errno));
    }
    return flush(load, err);
}

static int finish(struct load *load)
{
    (void)printf(load->cli->json
                     ? "{\"loaded\":%lld,\"known\":%lld,\"wrong\":%lld,\"released\":%lld}\n"
                     : "loaded %lld, known %lld, wrong %lld, released %lld\n",
                 (long long)load->written, (long long)load->known, (long long)load->refused,
                 (long long)load->run.released);
    if (interrupted) {
        (void)fprintf(stderr, "altinn-sync: stopped after line %zu; run it again to go on\n",
                      load->line_number);
        return SYNC_EXIT_INTERRUPTED;
    }
    return load->refused > 0 ? SYNC_EXIT_PARTLY : SYNC_EXIT_OK;
}

static int refuse_name(const char *name)
{
    const char *names[8];
    size_t count = 0;
    while (sync_loaders[count] && count < sizeof names / sizeof names[0]) {
        names[count] = sync_loaders[count]->name;
        count++;
    }
    const char *meant = sync_suggest(name, names, count);
    return sync_cli_usage("load", "--as: there is no loader \"%s\"%s%s", name,
                          meant ? "; did you mean " : "", meant ? meant : "");
}

int sync_cli_load(struct sync_cli *cli, int argc, char **argv)
{
    const char *as = NULL;
    bool named = sync_cli_flag(&argc, argv, "--as", &as);
    int wrong = sync_cli_arguments("load", argc, argv, 1, 1);
    struct sync_error err = {0};
    if (wrong != 0) {
        return wrong;
    }
    if (named && !as) {
        return sync_cli_usage("load", "--as takes the name of a loader");
    }
    if (as && !sync_loader_find(as)) {
        return refuse_name(as);
    }
    __attribute__((cleanup(load_done))) struct load *load = calloc(1, sizeof *load);
    if (!load) {
        (void)sync_fail(&err, SYNC_CLASS_FATAL, SYNC_CODE_MEMORY_LIMIT, "load: no memory");
        return sync_cli_fail(&err);
    }
    load->cli = cli;
    if (!sync_is_ok(load_open(load, argv[0], &err)) ||
        (as && !sync_is_ok(load_begin(load, sync_loader_find(as), &err)))) {
        return sync_cli_fail(&err);
    }
    struct sigaction action = {.sa_handler = on_signal};
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    if (!sync_is_ok(read_file(load, &err))) {
        return sync_cli_fail(&err);
    }
    return finish(load);
}
