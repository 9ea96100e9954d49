/*
 * What the application of Altinn 3 writes when somebody acts, on the real tables, with a journal of
 * its own in schema altinn3sim. It knows nothing of altinn-sync. Not here: who acts when (main.c,
 * actor.h).
 */
#ifndef SYNC_DEV_ALTINN3_APPLICATION_H
#define SYNC_DEV_ALTINN3_APPLICATION_H

#include <runtime/postgres.h>

struct application_act {
    int32_t altinn2_id;
    struct sync_uuid altinn3_id, party;
    int32_t kind; /* enum status_kind */
    int64_t occurred_at_us;
    bool doubled; /* the second report of an act */
};

/* Makes the journal. Fails: as sync_db_script. */
sync_status application_prepare(struct sync_db *db, struct sync_error *err);

/*
 * Lets somebody act, in one transaction with its line in the journal. ret_done is false when the
 * application says no: the message is not there, hidden (but for a purge), purged, or not in the
 * state the act needs. Fails: RETRY as sync_db_exec; the act then happened or not, as the journal
 * says.
 */
sync_status application_act(struct sync_db *db, const struct application_act *act, bool *ret_done,
                            struct sync_error *err);

/*
 * Inserts a visible message that came from Altinn 2, with contents and the statuses of its
 * publishing, in one transaction. ret_done is false when it is there already.
 */
sync_status application_insert_message(struct sync_db *db, int32_t altinn2_id, int64_t now_us,
                                       bool *ret_done, struct sync_error *err);

#endif
