/*
 * HTTP in, over libmicrohttpd: probes and metrics, and the push receiver's suspended requests.
 */
#ifndef SYNC_RUNTIME_HTTP_SERVER_H
#define SYNC_RUNTIME_HTTP_SERVER_H
#include <altinn_sync/status.h>
#include <altinn_sync/types.h>

struct sync_http_server;

/* One request as the handler sees it. path, method, body are valid until it is answered. */
struct sync_http_request {
    const char *method, *path, *content_type, *authorization; /* headers: NULL when absent */
    struct sync_bytes body;
    void *connection; /* of the library */
    struct sync_http_server *server;
};

/*
 * Called on the server's thread when the whole body is there (at most body_bytes_max). It answers
 * at once with sync_http_answer, or keeps the request and answers later from another thread, also
 * with sync_http_answer: the connection is suspended meanwhile. Must not block.
 */
typedef void sync_http_handler(struct sync_http_request *request, void *context);

struct sync_http_server_options {
    const char *listen;    /* "127.0.0.1:9464", port 0 = any */
    size_t body_bytes_max; /* larger: 413 */
    int connections_max;   /* open requests; more: 503 with Retry-After */
    int request_ms_max;    /* for sending a request, and again for taking the answer; 0 =
                              SYNC_HTTP_TOTAL_MS */
    size_t head_bytes_max; /* request line and headers; larger: 431; 0 = SYNC_HTTP_HEAD_BYTES_MAX */
    sync_http_handler *handler;
    void *context;
};
/*
 * Starts to listen, on a thread of its own.
 * Fails: FATAL config when listen does not parse or cannot be bound.
 */
sync_status sync_http_server_new(const struct sync_http_server_options *options,
                                 struct sync_http_server **ret_server, struct sync_error *err);
/* Address it listens on, "127.0.0.1:40123". Valid for the server's life. */
const char *sync_http_server_address(const struct sync_http_server *server);
/*
 * Stops listening and ends the thread once the answers are sent, at most SYNC_HTTP_STOP_MS. Answer
 * every kept request first: one that is still kept then is left behind with its memory.
 */
void sync_http_server_free(struct sync_http_server **server);

/* Whether the query of the URL names this parameter, with or without a value. Only inside the
 * handler. */
bool sync_http_request_has(const struct sync_http_request *request, const char *name);

/* The value of a parameter of the query, escapes kept; NULL when absent or without one. Only inside
 * the handler. */
const char *sync_http_request_query(const struct sync_http_request *request, const char *name);

/* A header of the request, NULL when absent. Only inside the handler. */
const char *sync_http_request_header(const struct sync_http_request *request, const char *name);

/* Answers a request, once, with a copy of body; content_type NULL = no such header. The request is
 * gone after it. retry_after_s 0 = no such header. */
void sync_http_answer(struct sync_http_request *request, int code, const char *content_type,
                      struct sync_bytes body, int retry_after_s);

/* Ends the connection of a request without an answer, once: simulators lose answers with it. */
void sync_http_drop(struct sync_http_request *request);

/* Probes and metrics of this process on one address. */
sync_status sync_http_probes_new(const char *listen, struct sync_http_server **ret_server,
                                 struct sync_error *err);
#endif
