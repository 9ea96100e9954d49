/* Fetches pages. Not here: links, positions. */
#include "delegation_feed_fetch.h"

#include "bridge_call.h"

#include <core/limits.h>
#include <stdlib.h>

#define WHAT "read the role feed"

struct feed_fetch {
    const struct delegation_own *own;
    struct bridge_caller *caller;
    int64_t retry_after_ms;
};

sync_status feed_fetch_new(struct receiver_shell *shell, const struct delegation_own *own,
                           struct feed_fetch **ret_fetch, struct sync_error *err)
{
    struct feed_fetch *fetch = calloc(1, sizeof *fetch);
    if (!fetch) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_MEMORY_LIMIT, WHAT ": no memory");
    }
    fetch->own = own;
    sync_status status = bridge_caller_new(shell, &fetch->caller, err);
    if (!sync_is_ok(status)) {
        free(fetch);
        return status;
    }
    *ret_fetch = fetch;
    return SYNC_OK;
}

void feed_fetch_free(struct feed_fetch **fetch)
{
    if (*fetch) {
        bridge_caller_free(&(*fetch)->caller);
        free(*fetch);
        *fetch = NULL;
    }
}

int64_t feed_fetch_retry_after_ms(const struct feed_fetch *fetch)
{
    return fetch->retry_after_ms;
}

sync_status feed_fetch_page(struct feed_fetch *fetch, const char *link, struct feed_page **ret_page,
                            struct sync_error *err)
{
    const struct bridge_request request = {.url = link, .what = WHAT};
    struct sync_http_answer_in answer = {.failed = true};
    fetch->retry_after_ms = 0;
    sync_status status = bridge_call(fetch->caller, &request, &answer, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    fetch->retry_after_ms = answer.retry_after_s * 1000LL;
    if (answer.code != 200) {
        status = bridge_answer_judge(&answer, WHAT, err);
    } else if (!answer.body) {
        status = sync_fail(err, SYNC_CLASS_PARK, SYNC_CODE_OVERSIZE,
                           WHAT ": a page is larger than %d bytes", SYNC_HTTP_ANSWER_BYTES_MAX);
    } else {
        status = feed_page_parse(sync_bytes_text(answer.body), fetch->own, ret_page, err);
    }
    free(answer.body);
    return status;
}
