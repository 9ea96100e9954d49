/*
 * Takes HTTP requests and answers them, at once or later from another thread. The only user of
 * libmicrohttpd. Not here: what a path means.
 *
 * The library runs on a thread of ours, turn by turn, because it limits silence only: a client that
 * sends one byte a second would hold its connection for ever. Each turn therefore closes
 * connections that have had their time. An answer given by another thread is stored in the request
 * and the connection resumed; the library then calls again and the answer is queued on its own
 * thread.
 */
#include "http_server.h"

#include "../core/limits.h"
#include "clock.h"
#include "log.h"

#include <microhttpd.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define TURN_MS       200
#define RETRY_AFTER_S 1
#define DISCARD_BYTES_MAX                                                                          \
    (16ULL * 1024 * 1024) /* read to its end, so that the client reads our 413 */
#define BODY_FIRST_BYTES 4096

enum phase { RECEIVING, HANDLING, SENDING, IDLE };

struct client {
    struct client *next, *previous;
    int fd;
    enum phase phase;
    int64_t since_us;
};

/* What stands behind a request; the request comes first, so that one pointer serves for both. */
struct exchange {
    struct sync_http_request request;
    uint8_t *body;
    size_t size, capacity;
    bool too_large, handed, answered;
    struct MHD_Response *response;
    int code;
};

struct sync_http_server {
    struct MHD_Daemon *daemon;
    pthread_t thread;
    struct sync_http_server_options options;
    char address[80];
    struct client
        clients;    /* ring of all connections; only on the server's thread, as the next one */
    int open_count; /* requests between their headers and the end of their answer */
    int kept_count; /* of these, with the handler */
    bool stop;      /* atomic */
    int wake;       /* eventfd: the library does not notice a resumed connection while it waits */
};

/* Answering --------------------------------------------------------------------------------- */

static struct MHD_Response *make_response(const char *content_type, struct sync_bytes body,
                                          int retry_after_s)
{
    static const char empty[1];
    void *bytes = (void *)(uintptr_t)(body.size == 0 ? (const void *)empty : body.data);
    struct MHD_Response *response =
        MHD_create_response_from_buffer(body.size, bytes, MHD_RESPMEM_MUST_COPY);
    SYNC_ASSERT(response != NULL);
    (void)MHD_add_response_header(response, "Cache-Control", "no-store");
    (void)MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (content_type != NULL) {
        (void)MHD_add_response_header(response, "Content-Type", content_type);
    }
    if (retry_after_s > 0) {
        char text[16];
        (void)snprintf(text, sizeof text, "%d", retry_after_s);
        (void)MHD_add_response_header(response, "Retry-After", text);
    }
    return response;
}

/* From here on the exchange may be gone; the server stays until its last request is not kept any
 * more. */
static void resume(struct sync_http_server *server, struct MHD_Connection *connection)
{
    uint64_t one = 1;
    MHD_resume_connection(connection);
    (void)!write(server->wake, &one, sizeof one); /* a full counter wakes as well */
    __atomic_fetch_sub(&server->kept_count, 1, __ATOMIC_RELEASE);
}

void sync_http_answer(struct sync_http_request *request, int code, const char *content_type,
                      struct sync_bytes body, int retry_after_s)
{
    struct exchange *exchange = (struct exchange *)request;
    struct MHD_Connection *connection = request->connection;
    SYNC_ASSERT(exchange->handed && !exchange->answered);
    exchange->answered = true;
    exchange->response = make_response(content_type, body, retry_after_s);
    exchange->code = code;
    resume(request->server, connection);
}

void sync_http_drop(struct sync_http_request *request)
{
    struct exchange *exchange = (struct exchange *)request;
    struct MHD_Connection *connection = request->connection;
    SYNC_ASSERT(exchange->handed && !exchange->answered);
    exchange->answered = true; /* without a response: the next call ends the connection */
    resume(request->server, connection);
}

bool sync_http_request_has(const struct sync_http_request *request, const char *name)
{
    const char *value;
    size_t size;
    return MHD_lookup_connection_value_n(request->connection, MHD_GET_ARGUMENT_KIND, name,
                                         strlen(name), &value, &size) == MHD_YES;
}

const char *sync_http_request_query(const struct sync_http_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
}

/* Requests ---------------------------------------------------------------------------------- */

static void enter_phase(struct MHD_Connection *connection, enum phase phase)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct client *client = info == NULL ? NULL : info->socket_context;
    if (client != NULL) {
        client->phase = phase;
        client->since_us = sync_clock_monotonic_us();
    }
}

/* Refuses before or after the body. The connection ends, because the rest of the body may still
 * come. */
static enum MHD_Result refuse(struct MHD_Connection *connection, int code, int retry_after_s)
{
    struct MHD_Response *response =
        make_response(NULL, (struct sync_bytes){NULL, 0}, retry_after_s);
    (void)MHD_add_response_header(response, "Connection", "close");
    enum MHD_Result result = MHD_queue_response(connection, (unsigned)code, response);
    MHD_destroy_response(response);
    enter_phase(connection, SENDING);
    return result;
}

static const char *header(struct MHD_Connection *connection, const char *name)
{
    return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

const char *sync_http_request_header(const struct sync_http_request *request, const char *name)
{
    return header(request->connection, name);
}

static unsigned long long declared_size(struct MHD_Connection *connection)
{
    const char *text = header(connection, "Content-Length");
    return text == NULL ? 0 : strtoull(text, NULL, 10);
}

static enum MHD_Result begin_exchange(struct sync_http_server *server,
                                      struct MHD_Connection *connection, const char *path,
                                      const char *method, void **ret_exchange)
{
    struct exchange *exchange = calloc(1, sizeof *exchange);
    SYNC_ASSERT(exchange != NULL);
    exchange->request = (struct sync_http_request){
        .method = method,
        .path = path,
        .content_type = header(connection, "Content-Type"),
        .authorization = header(connection, "Authorization"),
        .connection = connection,
        .server = server,
    };
    *ret_exchange = exchange;
    server->open_count++;
    if (server->open_count > server->options.connections_max) {
        return refuse(connection, 503, RETRY_AFTER_S);
    }
    unsigned long long size = declared_size(connection);
    exchange->too_large = size > server->options.body_bytes_max;
    if (size > DISCARD_BYTES_MAX) {
        return refuse(connection, 413, 0);
    }
    return MHD_YES;
}

static void take_body(struct sync_http_server *server, struct exchange *exchange, const char *data,
                      size_t size)
{
    exchange->too_large |= size > server->options.body_bytes_max - exchange->size;
    if (exchange->too_large) {
        return;
    }
    if (size > exchange->capacity - exchange->size) {
        size_t wanted = exchange->capacity * 2 + BODY_FIRST_BYTES;
        wanted = wanted < exchange->size + size ? exchange->size + size : wanted;
        uint8_t *larger = realloc(exchange->body, wanted);
        SYNC_ASSERT(larger != NULL);
        exchange->body = larger;
        exchange->capacity = wanted;
    }
    memcpy(exchange->body + exchange->size, data, size);
    exchange->size += size;
}

static enum MHD_Result hand_over(struct sync_http_server *server, struct exchange *exchange)
{
    struct MHD_Connection *connection = exchange->request.connection;
    exchange->handed = true;
    exchange->request.body = (struct sync_bytes){exchange->body, exchange->size};
    __atomic_fetch_add(&server->kept_count, 1, __ATOMIC_RELAXED);
    enter_phase(connection, HANDLING);
    MHD_suspend_connection(
        connection); /* first: another thread may answer before the handler returns */
    server->options.handler(&exchange->request, server->options.context);
    return MHD_YES;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection,
                                  const char *path, const char *method, const char *version,
                                  const char *data, size_t *size, void **exchange_slot)
{
    struct sync_http_server *server = context;
    struct exchange *exchange = *exchange_slot;
    (void)version;
    if (exchange == NULL) {
        return begin_exchange(server, connection, path, method, exchange_slot);
    }
    if (*size > 0) {
        take_body(server, exchange, data, *size);
        *size = 0;
        return MHD_YES;
    }
    if (exchange->too_large) {
        return refuse(connection, 413, 0);
    }
    if (!exchange->handed) {
        return hand_over(server, exchange);
    }
    SYNC_ASSERT(exchange->answered);
    if (exchange->response == NULL) {
        return MHD_NO;
    }
    enter_phase(connection, SENDING);
    return MHD_queue_response(connection, (unsigned)exchange->code, exchange->response);
}

static void on_completed(void *context, struct MHD_Connection *connection, void **exchange_slot,
                         enum MHD_RequestTerminationCode reason)
{
    struct sync_http_server *server = context;
    struct exchange *exchange = *exchange_slot;
    (void)reason;
    if (exchange == NULL) {
        return;
    }
    server->open_count--;
    enter_phase(connection, IDLE);
    if (exchange->response != NULL) {
        MHD_destroy_response(exchange->response);
    }
    free(exchange->body);
    free(exchange);
    *exchange_slot = NULL;
}

/* Called with the request line: a request that follows another on its connection begins here. */
static void *on_request_line(void *context, const char *uri, struct MHD_Connection *connection)
{
    (void)context;
    (void)uri;
    enter_phase(connection, RECEIVING);
    return NULL;
}

/* Paths and queries stay as they came: "%2f" must not become a slash that nobody checked. */
static size_t keep_escapes(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context;
    (void)connection;
    return strlen(text);
}

/* Connections ------------------------------------------------------------------------------- */

static void on_connection(void *context, struct MHD_Connection *connection, void **client_slot,
                          enum MHD_ConnectionNotificationCode what)
{
    struct sync_http_server *server = context;
    struct client *client = *client_slot;
    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
        if (client != NULL) {
            client->previous->next = client->next;
            client->next->previous = client->previous;
            free(client);
            *client_slot = NULL;
        }
        return;
    }
    client = calloc(1, sizeof *client);
    SYNC_ASSERT(client != NULL);
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    SYNC_ASSERT(info != NULL);
    *client = (struct client){server->clients.next, &server->clients, info->connect_fd, RECEIVING,
                              sync_clock_monotonic_us()};
    client->next->previous = client;
    server->clients.next = client;
    *client_slot = client;
}

/* The library notices the end of the stream in its next turn and frees the connection itself. */
static void close_late_clients(struct sync_http_server *server)
{
    int64_t now_us = sync_clock_monotonic_us();
    int64_t limit_us = server->options.request_ms_max * 1000LL;
    for (struct client *client = server->clients.next; client != &server->clients;
         client = client->next) {
        /* An idle connection gets twice the time: its next request line starts the count anew. */
        int64_t allowed_us = client->phase == IDLE ? 2 * limit_us : limit_us;
        if (client->phase != HANDLING && now_us - client->since_us > allowed_us) {
            (void)shutdown(client->fd, SHUT_RDWR);
        }
    }
}

/* Life -------------------------------------------------------------------------------------- */

/* Waits for the clients or for an answer of another thread, then lets the library work. */
static void run_turn(struct sync_http_server *server)
{
    MHD_UNSIGNED_LONG_LONG left_ms = TURN_MS;
    bool limited = MHD_get_timeout(server->daemon, &left_ms) == MHD_YES && left_ms < TURN_MS;
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    SYNC_ASSERT(info != NULL);
    struct pollfd files[] = {{.fd = info->epoll_fd, .events = POLLIN},
                             {.fd = server->wake, .events = POLLIN}};
    if (poll(files, 2, limited ? (int)left_ms : TURN_MS) > 0 && files[1].revents != 0) {
        uint64_t count;
        (void)!read(server->wake, &count, sizeof count); /* only empties it */
    }
    (void)MHD_run(server->daemon);
}

static void *serve(void *context)
{
    struct sync_http_server *server = context;
    int64_t stop_us = INT64_MAX;
    for (;;) {
        run_turn(server);
        close_late_clients(server);
        int64_t now_us = sync_clock_monotonic_us();
        if (__atomic_load_n(&server->stop, __ATOMIC_ACQUIRE) && stop_us == INT64_MAX) {
            stop_us = now_us + SYNC_HTTP_STOP_MS * 1000LL;
            int fd = MHD_quiesce_daemon(server->daemon);
            if (fd >= 0) {
                (void)close(fd);
            }
        }
        if (stop_us != INT64_MAX && (server->open_count == 0 || now_us > stop_us)) {
            return NULL;
        }
    }
}

/* "host:port" or "[host]:port", numbers only: a name would have to be asked for. */
static struct addrinfo *parse_listen(const char *listen)
{
    char host[64], port[8];
    const char *colon = strrchr(listen, ':');
    const char *from = listen, *to = colon;
    if (colon == NULL || strlen(colon + 1) >= sizeof port || colon[1] == '\0' ||
        strspn(colon + 1, "0123456789") != strlen(colon + 1) ||
        strtol(colon + 1, NULL, 10) > 65535) {
        return NULL;
    }
    if (*from == '[' && to > from && to[-1] == ']') {
        from++;
        to--;
    }
    if (to <= from || (size_t)(to - from) >= sizeof host) {
        return NULL;
    }
    memcpy(host, from, (size_t)(to - from));
    host[to - from] = '\0';
    (void)snprintf(port, sizeof port, "%s", colon + 1);
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
                             .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    return getaddrinfo(host, port, &hints, &found) == 0 ? found : NULL;
}

static bool start_daemon(struct sync_http_server *server, const struct addrinfo *address)
{
    const struct sync_http_server_options *options = &server->options;
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME |
                     (address->ai_family == AF_INET6 ? MHD_USE_IPv6 : 0U);
    server->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, server, MHD_OPTION_SOCK_ADDR, address->ai_addr,
        MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)options->connections_max * 2 + 16, /* idle ones do not count as open */
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)(2 * options->request_ms_max / 1000 + 1),
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, options->head_bytes_max, MHD_OPTION_STRICT_FOR_CLIENT,
        1, MHD_OPTION_NOTIFY_COMPLETED, on_completed, server, MHD_OPTION_NOTIFY_CONNECTION,
        on_connection, server, MHD_OPTION_URI_LOG_CALLBACK, on_request_line, server,
        MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL, MHD_OPTION_END);
    return server->daemon != NULL;
}

static void note_address(struct sync_http_server *server, const struct addrinfo *address)
{
    char host[64] = "?";
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT);
    (void)getnameinfo(address->ai_addr, address->ai_addrlen, host, sizeof host, NULL, 0,
                      NI_NUMERICHOST);
    (void)snprintf(server->address, sizeof server->address,
                   address->ai_family == AF_INET6 ? "[%s]:%u" : "%s:%u", host,
                   info == NULL ? 0U : (unsigned)info->port);
}

/* Signals belong to the main thread. */
static bool start_thread(struct sync_http_server *server)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(&server->thread, NULL, serve, server) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

sync_status sync_http_server_new(const struct sync_http_server_options *options,
                                 struct sync_http_server **ret_server, struct sync_error *err)
{
    struct addrinfo *address = parse_listen(options->listen);
    if (address == NULL) {
        return sync_fail(
            err, SYNC_CLASS_FATAL, SYNC_CODE_CONFIG,
            "listen on \"%s\": not an address and a port; write for example 127.0.0.1:9464",
            options->listen);
    }
    struct sync_http_server *server = calloc(1, sizeof *server);
    SYNC_ASSERT(server != NULL);
    server->options = *options;
    server->options.listen = NULL; /* of the caller */
    server->clients.next = server->clients.previous = &server->clients;
    if (options->request_ms_max == 0) {
        server->options.request_ms_max = SYNC_HTTP_TOTAL_MS;
    }
    if (options->head_bytes_max == 0) {
        server->options.head_bytes_max = SYNC_HTTP_HEAD_BYTES_MAX;
    }
    server->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    SYNC_ASSERT(server->wake >= 0);
    bool listening = start_daemon(server, address);
    if (listening) {
        note_address(server, address);
    }
    freeaddrinfo(address);
    if (!listening || !start_thread(server)) {
        if (listening) {
            MHD_stop_daemon(server->daemon);
        }
        (void)close(server->wake);
        free(server);
        return sync_fail(
            err, SYNC_CLASS_FATAL, SYNC_CODE_REFUSED, /* not a file's fault: a restart may help */
            "listen on %s: it cannot be bound; is the port taken, or the address not of this host?",
            options->listen);
    }
    *ret_server = server;
    return SYNC_OK;
}

const char *sync_http_server_address(const struct sync_http_server *server)
{
    return server->address;
}

void sync_http_server_free(struct sync_http_server **server)
{
    struct sync_http_server *old = *server;
    *server = NULL;
    if (old == NULL) {
        return;
    }
    __atomic_store_n(&old->stop, true, __ATOMIC_RELEASE);
    (void)pthread_join(old->thread, NULL);
    int kept = __atomic_load_n(&old->kept_count, __ATOMIC_ACQUIRE);
    if (kept > 0) {
        sync_log(SYNC_WARN, "http_requests_unanswered", SYNC_LOG_NUMBER("count", kept));
        return; /* their keeper may still answer: the memory must stay */
    }
    MHD_stop_daemon(old->daemon);
    (void)close(old->wake);
    free(old);
}
