/*
 * HTTP out, over libcurl's multi interface: several requests in flight, one thread. https only,
 * http only to loopback; no redirect, proxy, netrc, cookie; HTTP/1.1; answers bounded.
 */
#ifndef SYNC_RUNTIME_HTTP_CLIENT_H
#define SYNC_RUNTIME_HTTP_CLIENT_H
#include <altinn_sync/status.h>
#include <altinn_sync/types.h>

struct sync_http_client;
struct sync_http_call {
    const char *method; /* NULL = POST; PUT; GET, without a body */
    const char *url;
    const char *content_type;
    const char *idempotency_key; /* NULL = none */
    const char *authorization;   /* NULL = none */
    struct sync_bytes body;      /* valid until the answer is taken */
    int timeout_ms;
    bool reuse;       /* connection may be reused: keyed and monotone operations only */
    bool keep_answer; /* the whole body of the answer is wanted */
    void *tag;        /* comes back with the answer */
};
struct sync_http_answer_in {
    void *tag;
    bool failed; /* no answer at all */
    bool sent;   /* failed: a byte of the request may have left (unknown outcome) */
    int code;
    int retry_after_s; /* 0 = none; capped at SYNC_RETRY_AFTER_MAX_S */
    char text[256];    /* failed: why; else the first bytes of the answer */
    /* With keep_answer and not failed: the body, NUL-ended, which the caller frees. NULL when it
     * was longer than SYNC_HTTP_ANSWER_BYTES_MAX. */
    char *body;
};
/* Fails: FATAL insecure when base_url is http to an address that is not loopback. */
sync_status sync_http_client_new(const char *base_url, int connections_max,
                                 struct sync_http_client **ret_client, struct sync_error *err);
void sync_http_client_free(struct sync_http_client **client);
sync_status sync_http_client_send(struct sync_http_client *client,
                                  const struct sync_http_call *call, struct sync_error *err);
/* Works at most timeout_ms, returns the answers that came, at most max. */
size_t sync_http_client_wait(struct sync_http_client *client, int timeout_ms,
                             struct sync_http_answer_in *ret_answers, size_t max);
void sync_http_client_wake(struct sync_http_client *client);  /* from any thread: ends a wait */
void sync_http_client_abort(struct sync_http_client *client); /* cuts what is in flight */
size_t sync_http_client_in_flight(const struct sync_http_client *client);

/*
 * One GET under the same rules, for the pages of our own processes.
 * Owns:   the caller frees ret_text, which ends with NUL and has at most SYNC_HTTP_ANSWER_BYTES_MAX
 * bytes. Blocks: at most timeout_ms. Fails:  FATAL insecure; RETRY http_unreachable. An answer of
 * any code is an answer.
 */
sync_status sync_http_get(const char *url, int timeout_ms, int *ret_code, char **ret_text,
                          struct sync_error *err);
#endif
