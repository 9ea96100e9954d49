/* Reads the switch of "pause" and "resume". */
#include "pause.h"

#include "../core/utf8.h"

#include <stdio.h>

static const struct sync_statement read_statement = {
    "pause_read", "SELECT reason FROM sync.pause WHERE name = $1"};

sync_status sync_pause_read(struct sync_db *db, const char *name, struct sync_pause *ret_pause,
                            struct sync_error *err)
{
    struct sync_params params;
    sync_params_init(&params, NULL); /* text is borrowed */
    sync_params_text(&params, name);
    SYNC_RESULT result = {0};
    sync_status status = sync_db_exec(db, &read_statement, &params, &result, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    *ret_pause = (struct sync_pause){.on = result.rows > 0};
    if (ret_pause->on) {
        struct sync_bytes reason = sync_result_bytes(&result, 0, 0);
        (void)snprintf(ret_pause->reason, sizeof ret_pause->reason, "%.*s", (int)reason.size,
                       (const char *)reason.data);
        sync_utf8_mend(ret_pause->reason); /* it may be cut inside a character */
    }
    return SYNC_OK;
}
