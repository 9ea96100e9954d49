/*
 * The file of faults: one line each, "[at TIME] [for TIME] SUBJECT WHAT". The simulators act on the
 * subjects "bridge" and "feed"; lines with another subject belong to other programs and are only
 * checked for their times. Pure.
 */
#ifndef SIMULATOR_FAULTS_H
#define SIMULATOR_FAULTS_H
#include <altinn_sync/status.h>
#include <altinn_sync/types.h>

#define FAULTS_MAX 64

enum fault_action {
    FAULT_ANSWER,      /* bridge 503: answers a code and does nothing */
    FAULT_LOSE_ANSWER, /* bridge lose-answer 1%: does it, then drops the connection */
    FAULT_APPLY_TWICE, /* bridge apply-twice 1%: does it twice */
    FAULT_DELAY,       /* bridge delay 200ms: answers later */
    FAULT_REPEAT,      /* feed repeat 1%: the next page is this one once more */
};
struct fault {
    enum fault_action action;
    int64_t from_ms, until_ms; /* since the start; until INT64_MAX = for ever */
    int code;                  /* ANSWER */
    int permille;              /* how many calls it hits; 1000 when no share is given */
    int delay_ms;              /* DELAY */
};
struct faults {
    struct fault items[FAULTS_MAX];
    size_t count;
};

/*
 * Reads the lines about one subject of the text of a file. "#" begins a comment; blank lines are
 * passed over.
 * Fails: FATAL syntax with "name:line:column: what is wrong".
 */
sync_status faults_parse(const char *name, const char *subject, const char *text,
                         struct faults *ret_faults, struct sync_error *err);
#endif
