/* "capture NAME": runs one source connector as its own process. Not here: what a connector does. */
#include "cli.h"

#include "../../connectors/altinn2/receiver.h"
#include "../../connectors/altinn3/capture.h"
#include "../runtime/log.h"

#include <string.h>

/* Each runs until it is told to stop. */
struct source {
    const char *name;
    sync_status (*run)(const struct sync_config *config, struct sync_error *err);
};

static const struct source sources[] = {
    {"altinn2-status", sync_receiver_run},
    {SYNC_CAPTURE_ALTINN3, sync_capture_altinn3_run},
};

static int run_source(const struct source *source, const struct sync_config *config)
{
    struct sync_error err = {0};
    enum sync_level level = SYNC_INFO;
    (void)sync_log_level_parse(config->log_level, &level); /* checked with the configuration */
    sync_log_init(source->name, level);
    if (sync_is_ok(source->run(config, &err))) {
        return SYNC_EXIT_OK;
    }
    sync_log_error(SYNC_ERROR, "stopped", &err);
    return sync_cli_fail_process(&err);
}

int sync_cli_capture(struct sync_cli *cli, int argc, char **argv)
{
    int refused = sync_cli_arguments("capture", argc, argv, 1, 1);
    if (refused != 0) {
        return refused;
    }
    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
        if (strcmp(sources[i].name, argv[0]) == 0) {
            return run_source(&sources[i], &cli->config);
        }
    }
    return sync_cli_usage("capture", "no source has the name \"%s\"", argv[0]);
}
