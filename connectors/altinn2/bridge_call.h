/*
 * One call to Altinn 2's bridge at a time, from a thread of a capture. Not here: commands, which
 * the send thread makes (src/runtime/sender.h); what an answer means.
 */
#ifndef SYNC_ALTINN2_BRIDGE_CALL_H
#define SYNC_ALTINN2_BRIDGE_CALL_H
#include "receiver_parts.h"

#include <runtime/http_client.h>

struct bridge_caller;

/* Fails: FATAL insecure or config (bridge.base_url), memory_limit. */
sync_status bridge_caller_new(struct receiver_shell *shell, struct bridge_caller **ret_caller,
                              struct sync_error *err);
void bridge_caller_free(struct bridge_caller **caller);

struct bridge_request {
    const char *url;
    struct sync_bytes body; /* JSON: POST; no data: GET */
    const char *what;       /* for sentences: "read the role feed" */
};

/*
 * Calls, and waits for the answer. Only what may be asked twice: a connection is used again.
 * Owns:   the caller frees ret_answer->body.
 * Blocks: at most bridge.timeout_ms; ends early when the process ends.
 * Fails:  RETRY http_unreachable: no answer; PARK: the token cannot be read.
 */
sync_status bridge_call(struct bridge_caller *caller, const struct bridge_request *request,
                        struct sync_http_answer_in *ret_answer, struct sync_error *err);

/* An answer that is none of those expected: RETRY when the same call may succeed later, else PARK
 * not_found (400, 404, 410) or http_answer. */
sync_status bridge_answer_judge(const struct sync_http_answer_in *answer, const char *what,
                                struct sync_error *err);
#endif
