/* "capture NAME": runs one source connector as its own process. Not here: what a connector does. */
#include "cli.h"

#include "../../connectors/altinn2/receiver.h"
#include "../../connectors/altinn3/capture.h"
#include "../runtime/log.h"

#include <string.h>

/* Those that do not read a slot. Each runs until it is told to stop. */
struct source {
    const char *name;
    sync_status (*run)(const struct sync_config *config, struct sync_error *err);
};

static const struct source sources[] = {
    {"altinn2-status", sync_receiver_run},
    {"altinn2-delegation", sync_capture_altinn2_delegation_run},
};

static void start_log(const char *name, const struct sync_config *config)
{
    enum sync_level level = SYNC_INFO;
    (void)sync_log_level_parse(config->log_level, &level); /* checked with the configuration */
    sync_log_init(name, level);
}

static int end(sync_status status, const struct sync_error *err)
{
    if (sync_is_ok(status)) {
        return SYNC_EXIT_OK;
    }
    sync_log_error(SYNC_ERROR, "stopped", err);
    return sync_cli_fail_process(err);
}

int sync_cli_capture(struct sync_cli *cli, int argc, char **argv)
{
    int refused = sync_cli_arguments("capture", argc, argv, 1, 1);
    if (refused != 0) {
        return refused;
    }
    struct sync_error err = {0};
    const struct capture_entity *entity = capture_entity_find(argv[0]);
    if (entity != NULL) {
        start_log(entity->name, &cli->config);
        return end(sync_capture_altinn3_run(entity, &cli->config, &err), &err);
    }
    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
        if (strcmp(sources[i].name, argv[0]) == 0) {
            start_log(sources[i].name, &cli->config);
            return end(sources[i].run(&cli->config, &err), &err);
        }
    }
    return sync_cli_usage("capture", "no source has the name \"%s\"", argv[0]);
}
