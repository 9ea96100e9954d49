/*
 * Loads of the whole current state of a source: which captures have one, what operators order, and
 * how far each part is. A part is a row of sync.backfill: a table of Altinn 3, or a resource that
 * Altinn 2 exports. Not here: loading.
 */
#ifndef SYNC_CONNECTORS_BACKFILL_H
#define SYNC_CONNECTORS_BACKFILL_H
#include <altinn_sync/processor.h>
#include <runtime/postgres.h>

enum backfill_state {
    BACKFILL_NONE, /* was never started */
    BACKFILL_PLANNED,
    BACKFILL_RUNNING,
    BACKFILL_PAUSED,
    BACKFILL_DONE,
    BACKFILL_CANCELLED,
};
/* "planned". Static. */
const char *backfill_state_word(enum backfill_state state);
/* NONE for a word that is none. */
enum backfill_state backfill_state_of(struct sync_bytes word);

struct backfill_load {
    const char *capture;
    const struct sync_processor *processor; /* names the home database */
    const char *standing; /* a part that begins by itself, and that start leaves alone; "" = none */
    bool takes_rate;      /* false: the source decides how fast it goes */
    /*
     * Plans every part, in the caller's transaction; what was planned before is gone.
     * Fails: FATAL refused: there is nothing to load; as sync_db_exec.
     */
    sync_status (*plan)(struct sync_db *db, int64_t rate_max, int64_t *ret_parts,
                        struct sync_error *err);
};
/* All of this binary, ended by NULL; by name of the capture NULL when there is none. */
extern const struct backfill_load *const backfill_loads[];
const struct backfill_load *backfill_load_find(const char *capture);

#define BACKFILL_NAME_SIZE 160
/* How far a part is. Numbers are of rows; times µs since 1970, INT64_MIN = none. */
struct backfill_part {
    char name[BACKFILL_NAME_SIZE], cursor[BACKFILL_NAME_SIZE];
    enum backfill_state state;
    int64_t rows_done, rows_sent, rows_total; /* total: an estimate, -1 = none */
    int64_t started_us, updated_us;
};
/*
 * Every part, by name.
 * Owns:   the caller frees ret_parts with free().
 * Fails:  RETRY memory_limit; as sync_db_exec.
 */
sync_status backfill_look(struct sync_db *db, const struct backfill_load *load,
                          struct backfill_part **ret_parts, size_t *ret_count,
                          struct sync_error *err);

/* What operators do, each with its reason in sync.audit. */
enum backfill_action { BACKFILL_START, BACKFILL_PAUSE, BACKFILL_RESUME, BACKFILL_CANCEL };
struct backfill_order {
    enum backfill_action action;
    const char *reason, *actor;
    int64_t rate_max; /* start, resume: 0 = none */
};
/*
 * ret_changed is how many parts changed.
 * Fails: FATAL refused when the state does not allow it; as sync_db_exec.
 */
sync_status backfill_order(struct sync_db *db, const struct backfill_load *load,
                           const struct backfill_order *order, int64_t *ret_changed,
                           struct sync_error *err);
/* "start". Static. */
const char *backfill_action_word(enum backfill_action action);

#endif
