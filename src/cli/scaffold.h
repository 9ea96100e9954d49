/* The templates of "processors new", compiled in. Not here: filling them (scaffold.c). */
#ifndef SYNC_CLI_SCAFFOLD_H
#define SYNC_CLI_SCAFFOLD_H

/* One template: its name is that of the file below src/cli/scaffold without ".in". */
struct sync_scaffold {
    const char *name, *text;
};

/* Generated from the files; ended by a NULL name. */
extern const struct sync_scaffold sync_scaffold[];
#endif
