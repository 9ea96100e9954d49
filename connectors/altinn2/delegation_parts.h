/*
 * What the parts of the capture "altinn2-delegation" share: calls (delegation_make.c), marks in the
 * stream (delegation_ticks.c), the role feed (delegation_feed.c) and the watermark
 * (delegation_watermark.c). Nobody else includes this.
 */
#ifndef SYNC_ALTINN2_DELEGATION_PARTS_H
#define SYNC_ALTINN2_DELEGATION_PARTS_H
#include "call_events.h"
#include "delegation_parties.h"
#include "delegation_repeats.h"
#include "receiver_parts.h"

#define DELEGATION_CAPTURE   "altinn2-delegation"
#define DELEGATION_LIVE      0 /* of the shell's topics */
#define DELEGATION_BACKLOG   1
#define DELEGATION_WATERMARK 2
/* Arena for one record: its struct, headers and value, but for texts that the source made. */
#define DELEGATION_RECORD_BYTES 2560
#define DELEGATION_NAMES_MAX    96 /* names of rights: those of rights.csv */
#define DELEGATION_STREAM_BYTES 24

struct delegation_capture {
    struct receiver_shell *shell;
    const struct sync_schema *schema;
    struct delegation_own own;
    /* Stream thread. */
    struct resolver *resolver;
    struct delegation_parties parties;
    struct delegation_repeats repeats;
    char names[DELEGATION_NAMES_MAX][DELEGATION_RIGHT_SIZE]; /* what an action may be called */
    size_t name_count;
    int64_t next_tick_us;
    enum push_outcome tick;           /* of the last one */
    atomic_llong position;            /* told by the last one, for any thread; -1 = none yet */
    struct delegation_reader *reader; /* of its own thread */
};

/* Text of a stream: "a2.rule.1". */
void delegation_stream_text(const char *name, int32_t generation,
                            char ret_text[static DELEGATION_STREAM_BYTES]);

/* delegation_make.c */
sync_status delegation_make(void *part, struct push **pushes, size_t count, struct sync_error *err);
sync_status delegation_confirm(void *part, struct push **pushes, size_t count,
                               struct sync_error *err);

/* delegation_ticks.c: TICK of the pushes' streams, every SYNC_DELEGATION_TICK_MS. */
sync_status delegation_idle(void *part, int64_t now_us, struct sync_error *err);

/*
 * One mark for each partition of a topic, in a place that is then ready for the poll thread. seqs:
 * the number in each partition; NULL = the one of the control. streams: at most 2 texts, each gets
 * its own marks. Fails: RETRY memory_limit.
 */
struct delegation_control;
struct delegation_marks {
    const struct receiver_topic *topic;
    const char *streams[2];
    size_t stream_count;
    struct delegation_control *control;
    const int64_t *seqs;
};
sync_status delegation_marks_fill(const struct delegation_capture *capture, struct push *push,
                                  const struct delegation_marks *marks, struct sync_error *err);

#endif
