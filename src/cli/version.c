/* version: what this binary is. */
#include "cli.h"

#include <stdlib.h>

int sync_cli_version(struct sync_cli *cli, int argc, char **argv)
{
    int wrong = sync_cli_arguments("version", argc, argv, 0, 0);
    if (wrong != 0) {
        return wrong;
    }
    if (!cli->json) {
        (void)printf("altinn-sync %s\n", SYNC_VERSION);
        return SYNC_EXIT_OK;
    }
    (void)printf("{\"version\":\"%s\"}\n", SYNC_VERSION);
    return SYNC_EXIT_OK;
}
