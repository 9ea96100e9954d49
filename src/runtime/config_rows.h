/* Shared by the files of the configuration (config*.c) and by nobody else. */
#ifndef SYNC_RUNTIME_CONFIG_ROWS_H
#define SYNC_RUNTIME_CONFIG_ROWS_H
#include "config.h"

enum sync_option_type {
    SYNC_OPTION_TEXT,
    SYNC_OPTION_WORD,    /* letters, digits and _: a name inside the database */
    SYNC_OPTION_CHOICE,  /* one of the words in choices */
    SYNC_OPTION_ADDRESS, /* host:port */
    SYNC_OPTION_NUMBER,
    SYNC_OPTION_BYTES, /* also 1MiB */
    SYNC_OPTION_MS,    /* also PT5S, 5s */
    SYNC_OPTION_SECONDS,
    SYNC_OPTION_DAYS,
};

/* One option. Numbers are in the unit of the option's name. */
struct sync_option_row {
    const char *section, *key;
    enum sync_option_type type;
    const char *unit; /* "" = none */
    int64_t min, max; /* TEXT, WORD, ADDRESS: bytes */
    const char *fallback;
    const char *choices; /* CHOICE: "a | b"; else NULL */
    size_t offset, size; /* in struct sync_config */
    const char *help;
};

extern const struct sync_option_row sync_option_rows[];
extern const size_t sync_option_row_count;

/* Where a value stands, for errors and for "config show". */
struct sync_config_place {
    const char *where;  /* "altinn-sync.yaml:3:5", "environment ALTINN_SYNC_…", "flag -X" */
    const char *origin; /* as "config show" prints it */
};

/* Row number, -1 when there is none. */
int sync_config_row(const char *section, const char *key);
/* Parses, checks the range, stores. Fails: FATAL config. */
sync_status sync_config_set(struct sync_config *config, int row, const char *value,
                            const struct sync_config_place *place, struct sync_error *err);
/* A property of the Kafka client; a later one replaces. Names that end in "_file" are read
 * (secret.h). */
sync_status sync_config_set_property(struct sync_config *config, const char *name,
                                     const char *value, const struct sync_config_place *place,
                                     struct sync_error *err);
/* The same from a file of which the caller has checked that nobody else may read it. */
sync_status sync_config_set_secret(struct sync_config *config, const char *name, const char *value,
                                   const struct sync_config_place *place, struct sync_error *err);
/* Whether the value of a property may stand in files only that nobody else may read. */
bool sync_config_is_secret(const char *name);
/* Value of a property, NULL when it is not set. */
const char *sync_config_property(const struct sync_config *config, const char *name);
/* The relations between options: answers with a sentence. Sets config->loopback. */
sync_status sync_config_check(struct sync_config *config, struct sync_error *err);
#endif
