/* What the files of "doctor" share: the list of checks and what each found. */
#ifndef SYNC_CLI_DOCTOR_H
#define SYNC_CLI_DOCTOR_H
#include "homes.h"

struct doctor {
    struct sync_cli *cli;
    struct sync_table *table;
    int findings;
    const char *area;     /* of the lines that follow */
    char cluster_id[64];  /* "" = the broker did not answer */
    bool settings_hidden; /* this broker shows no settings of topics */
};

/* One line: the check is fine; detail says what was seen. */
void doctor_good(struct doctor *doctor, const char *check, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* One line: something is wrong; fix is one sentence that says what to do. */
void doctor_finding(struct doctor *doctor, const char *check, const char *fix, const char *format,
                    ...) __attribute__((format(printf, 4, 5)));

/* Broker, cluster and the topics of topics.yaml. */
void doctor_kafka(struct doctor *doctor);
/* One home: connection, schema, rights, origins, slot, settings, clock; after doctor_kafka. */
void doctor_database(struct doctor *doctor, const struct sync_home *home);
#endif
