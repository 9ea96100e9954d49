/*
 * HTTP out over libcurl's multi interface; the only file that includes its header. Traps it avoids:
 * a reused connection repeats a request by itself, proxies and .netrc of the environment,
 * redirects, answers without end, "100-continue". Not here: what an answer means (sender.c and the
 * entity's lane store).
 */
#include "http_client.h"

#include "../core/limits.h"
#include "config.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define HEADER_BYTES_MAX 65536 /* of one answer: libcurl 7.88 bounds one line only */
#define HEADER_LINE_MAX  2200  /* a bearer token is at most 2 KiB here */
#define CONNECTIONS_MAX  64

/* A whole body. */
struct http_page {
    char *text;
    size_t size, capacity;
};

/* One request in flight, or a free place for one. */
struct http_slot {
    CURL *easy;
    struct curl_slist *headers;
    bool busy;
    bool plain; /* http: only loopback addresses may be connected to */
    void *tag;
    size_t header_bytes, body_bytes;
    bool headers_too_long, body_cut;
    char text[256]; /* first bytes of the answer */
    size_t text_size;
    bool keeps_page;
    struct http_page page;
    char error[CURL_ERROR_SIZE];
};

struct sync_http_client {
    CURLM *multi;
    char *base_url;
    bool plain;
    int slot_count;
    size_t in_flight;
    struct http_slot slots[CONNECTIONS_MAX];
};

static pthread_once_t global_once = PTHREAD_ONCE_INIT;

static void start_library(void)
{
    (void)curl_global_init(
        CURL_GLOBAL_DEFAULT); /* a failure shows at the first handle, which is NULL */
}

/* Parts of a URL that decide whether it may be used. */
static sync_status check_url(const char *url, bool *ret_plain, struct sync_error *err)
{
    CURLU *parsed = curl_url();
    char *scheme = NULL, *host = NULL, *user = NULL;
    bool ok = parsed && curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK &&
              curl_url_get(parsed, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
              curl_url_get(parsed, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
              curl_url_get(parsed, CURLUPART_USER, &user, 0) == CURLUE_NO_USER;
    bool https = ok && strcmp(scheme, "https") == 0;
    bool http = ok && strcmp(scheme, "http") == 0;
    char bare[256];
    snprintf(bare, sizeof bare, "%s", host ? host : "");
    if (bare[0] == '[') { /* an IPv6 address stands in brackets in a URL */
        memmove(bare, bare + 1, strlen(bare));
        bare[strcspn(bare, "]")] = '\0';
    }
    bool loopback = http && sync_config_is_loopback(bare);
    curl_free(scheme);
    curl_free(host);
    curl_free(user);
    curl_url_cleanup(parsed);
    if (!https && !http) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_INSECURE,
                         "read the base URL: it must be https://host[:port] without a user name");
    }
    if (http && !loopback) {
        return sync_fail(
            err, SYNC_CLASS_FATAL, SYNC_CODE_INSECURE,
            "read the base URL: http is accepted for loopback addresses only; use https");
    }
    *ret_plain = http;
    return SYNC_OK;
}

sync_status sync_http_client_new(const char *base_url, int connections_max,
                                 struct sync_http_client **ret_client, struct sync_error *err)
{
    pthread_once(&global_once, start_library);
    bool plain = false;
    sync_status status = check_url(base_url, &plain, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    struct sync_http_client *client = calloc(1, sizeof *client);
    if (!client) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_MEMORY_LIMIT,
                         "make an HTTP client: no memory");
    }
    client->plain = plain;
    client->slot_count = connections_max < 1                 ? 1
                         : connections_max > CONNECTIONS_MAX ? CONNECTIONS_MAX
                                                             : connections_max;
    client->base_url = strdup(base_url);
    client->multi = curl_multi_init();
    if (!client->base_url || !client->multi) {
        sync_http_client_free(&client);
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_MEMORY_LIMIT,
                         "make an HTTP client: no memory");
    }
    size_t end = strlen(client->base_url);
    while (end > 0 && client->base_url[end - 1] == '/') {
        client->base_url[--end] = '\0';
    }
    curl_multi_setopt(client->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)client->slot_count);
    curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, (long)client->slot_count);
    *ret_client = client;
    return SYNC_OK;
}

void sync_http_client_free(struct sync_http_client **client)
{
    if (!*client) {
        return;
    }
    if ((*client)->multi) {
        sync_http_client_abort(*client);
        for (int i = 0; i < (*client)->slot_count; i++) {
            curl_easy_cleanup((*client)->slots[i].easy);
        }
        curl_multi_cleanup((*client)->multi);
    }
    free((*client)->base_url);
    free(*client);
    *client = NULL;
}

static size_t take_page(char *data, size_t size, size_t count, void *context)
{
    struct http_page *page = context;
    size_t bytes = size * count;
    if (bytes > SYNC_HTTP_ANSWER_BYTES_MAX - page->size) {
        return 0;
    }
    if (page->size + bytes + 1 > page->capacity) {
        size_t capacity = 2 * (page->size + bytes + 1);
        char *grown = realloc(page->text, capacity);
        if (grown == NULL) {
            return 0;
        }
        page->text = grown;
        page->capacity = capacity;
    }
    memcpy(page->text + page->size, data, bytes);
    page->size += bytes;
    page->text[page->size] = '\0';
    return bytes;
}

/* Bounds the answer: what is beyond is not read, and the connection ends with it. */
static size_t take_body(char *data, size_t size, size_t count, void *context)
{
    struct http_slot *slot = context;
    size_t bytes = size * count;
    if (bytes > SYNC_HTTP_ANSWER_BYTES_MAX - slot->body_bytes) {
        slot->body_cut = true;
        return 0;
    }
    slot->body_bytes += bytes;
    for (size_t i = 0; i < bytes && slot->text_size + 1 < sizeof slot->text; i++) {
        unsigned char c = (unsigned char)data[i];
        slot->text[slot->text_size++] = c >= 0x20 && c < 0x7f ? (char)c : '.';
    }
    return slot->keeps_page ? take_page(data, size, count, &slot->page) : bytes;
}

static size_t take_header(char *data, size_t size, size_t count, void *context)
{
    (void)data;
    struct http_slot *slot = context;
    slot->header_bytes += size * count;
    if (slot->header_bytes > HEADER_BYTES_MAX) {
        slot->headers_too_long = true;
        return 0;
    }
    return size * count;
}

/* A name may resolve to another address than at the check: plain http never leaves the machine. */
static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)purpose;
    const struct http_slot *slot = context;
    bool loopback = false;
    if (address->family == AF_INET) {
        const struct sockaddr_in *v4 = (const void *)&address->addr;
        loopback = (ntohl(v4->sin_addr.s_addr) >> 24) == 127;
    } else if (address->family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const void *)&address->addr;
        loopback = IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
    }
    if (slot->plain && !loopback) {
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static void set_safety(struct http_slot *slot)
{
    CURL *easy = slot->easy;
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, slot->plain ? "http" : "https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_HTTP_CONTENT_DECODING, 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, slot);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, slot);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, slot);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, slot->error);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, slot);
}

static bool add_header(struct http_slot *slot, const char *name, const char *value)
{
    char line[HEADER_LINE_MAX];
    if (!value) {
        return true;
    }
    int size = snprintf(line, sizeof line, "%s: %s", name, value);
    if (size < 0 || (size_t)size >= sizeof line || strpbrk(line, "\r\n")) {
        return false;
    }
    struct curl_slist *list = curl_slist_append(slot->headers, line);
    slot->headers = list ? list : slot->headers;
    explicit_bzero(line, sizeof line);
    return list != NULL;
}

/* A GET has no body; any other method is sent with one, which may be empty. */
static void set_method(CURL *easy, const struct sync_http_call *call)
{
    if (call->method && strcmp(call->method, "GET") == 0) {
        curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
        return;
    }
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.size);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS,
                     call->body.data ? (const char *)call->body.data : "");
    if (call->method) {
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, call->method);
    }
}

static void set_call(struct http_slot *slot, const struct sync_http_call *call)
{
    CURL *easy = slot->easy;
    long timeout_ms = call->timeout_ms > 0 ? call->timeout_ms : SYNC_HTTP_TOTAL_MS;
    curl_easy_setopt(easy, CURLOPT_URL, call->url);
    set_method(easy, call);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, slot->headers);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)SYNC_HTTP_CONNECT_MS);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout_ms);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, timeout_ms / 1000 + 1);
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, call->reuse ? 0L : 1L);
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, call->reuse ? 0L : 1L);
}

static struct http_slot *free_slot(struct sync_http_client *client)
{
    for (int i = 0; i < client->slot_count; i++) {
        if (!client->slots[i].busy) {
            return &client->slots[i];
        }
    }
    return NULL;
}

/* Ends the slot's request and leaves its handle for the next. */
static void release_slot(struct sync_http_client *client, struct http_slot *slot)
{
    curl_multi_remove_handle(client->multi, slot->easy);
    curl_easy_reset(slot->easy);
    curl_slist_free_all(slot->headers);
    slot->headers = NULL;
    free(slot->page.text);
    slot->page = (struct http_page){0};
    slot->busy = false;
    client->in_flight--;
}

sync_status sync_http_client_send(struct sync_http_client *client,
                                  const struct sync_http_call *call, struct sync_error *err)
{
    size_t base_size = strlen(client->base_url);
    if (strncmp(call->url, client->base_url, base_size) != 0 || call->url[base_size] != '/') {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_INSECURE,
                         "call an address outside the base URL");
    }
    struct http_slot *slot = free_slot(client);
    if (!slot) {
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT,
                         "call: all connections are busy");
    }
    CURL *easy = slot->easy ? slot->easy : curl_easy_init();
    *slot = (struct http_slot){
        .easy = easy, .plain = client->plain, .tag = call->tag, .keeps_page = call->keep_answer};
    if (!easy) {
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT, "make a call: no memory");
    }
    if (!add_header(slot, "Content-Type", call->content_type) ||
        !add_header(slot, "Idempotency-Key", call->idempotency_key) ||
        !add_header(slot, "Authorization", call->authorization) ||
        !add_header(slot, "Expect", "")) {
        curl_slist_free_all(slot->headers);
        slot->headers = NULL;
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_LENGTH,
                         "make a call: a header is too long or broken");
    }
    set_safety(slot);
    set_call(slot, call);
    if (curl_multi_add_handle(client->multi, easy) != CURLM_OK) {
        curl_slist_free_all(slot->headers);
        slot->headers = NULL;
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT, "make a call: no memory");
    }
    slot->busy = true;
    client->in_flight++;
    return SYNC_OK;
}

/* No answer. "sent" errs on the side of "perhaps": only before the connection stood is it surely
 * not. */
static void fill_failure(const struct http_slot *slot, CURLcode code,
                         struct sync_http_answer_in *ret_answer)
{
    curl_off_t ready_us = 0;
    long request_bytes = 0;
    curl_easy_getinfo(slot->easy, CURLINFO_PRETRANSFER_TIME_T, &ready_us);
    curl_easy_getinfo(slot->easy, CURLINFO_REQUEST_SIZE, &request_bytes);
    ret_answer->failed = true;
    ret_answer->sent = ready_us > 0 || request_bytes > 0;
    const char *why = slot->headers_too_long ? "the headers of the answer are too long"
                      : slot->error[0]       ? slot->error
                                             : curl_easy_strerror(code);
    snprintf(ret_answer->text, sizeof ret_answer->text, "%s", why);
}

/* Gives the body away; an empty one is a text, too. */
static char *give_page(struct http_slot *slot)
{
    char *text = slot->page.text;
    if (!slot->keeps_page || slot->body_cut) {
        return NULL;
    }
    slot->page = (struct http_page){0};
    return text ? text : strdup("");
}

static void fill_answer(struct http_slot *slot, CURLcode code,
                        struct sync_http_answer_in *ret_answer)
{
    *ret_answer = (struct sync_http_answer_in){.tag = slot->tag};
    long http_code = 0;
    curl_easy_getinfo(slot->easy, CURLINFO_RESPONSE_CODE, &http_code);
    bool answered = code == CURLE_OK || (slot->body_cut && http_code > 0);
    if (!answered || http_code < 100) {
        fill_failure(slot, code, ret_answer);
        return;
    }
    curl_off_t retry_after_s = 0;
    curl_easy_getinfo(slot->easy, CURLINFO_RETRY_AFTER, &retry_after_s);
    ret_answer->code = (int)http_code;
    ret_answer->retry_after_s = retry_after_s < 0                        ? 0
                                : retry_after_s > SYNC_RETRY_AFTER_MAX_S ? SYNC_RETRY_AFTER_MAX_S
                                                                         : (int)retry_after_s;
    memcpy(ret_answer->text, slot->text, sizeof ret_answer->text);
    ret_answer->body = give_page(slot);
}

size_t sync_http_client_wait(struct sync_http_client *client, int timeout_ms,
                             struct sync_http_answer_in *ret_answers, size_t max)
{
    int running = 0;
    curl_multi_perform(client->multi, &running);
    if ((size_t)running == client->in_flight && timeout_ms > 0) { /* nothing has ended yet */
        curl_multi_poll(client->multi, NULL, 0, timeout_ms, NULL);
        curl_multi_perform(client->multi, &running);
    }
    size_t count = 0;
    int left = 0;
    while (count < max) {
        CURLMsg *message = curl_multi_info_read(client->multi, &left);
        if (!message) {
            break;
        }
        if (message->msg != CURLMSG_DONE) {
            continue;
        }
        struct http_slot *slot = NULL;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&slot);
        fill_answer(slot, message->data.result, &ret_answers[count++]);
        release_slot(client, slot);
    }
    return count;
}

void sync_http_client_wake(struct sync_http_client *client)
{
    curl_multi_wakeup(client->multi);
}

void sync_http_client_abort(struct sync_http_client *client)
{
    for (int i = 0; i < client->slot_count; i++) {
        if (client->slots[i].busy) {
            release_slot(client, &client->slots[i]);
        }
    }
}

size_t sync_http_client_in_flight(const struct sync_http_client *client)
{
    return client->in_flight;
}

sync_status sync_http_get(const char *url, int timeout_ms, int *ret_code, char **ret_text,
                          struct sync_error *err)
{
    (void)pthread_once(&global_once, start_library);
    struct http_slot slot = {0};
    struct http_page page = {0};
    sync_status status = check_url(url, &slot.plain, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    slot.easy = curl_easy_init();
    page.text = calloc(1, 1);
    SYNC_ASSERT(slot.easy != NULL && page.text != NULL);
    set_safety(&slot);
    curl_easy_setopt(slot.easy, CURLOPT_URL, url);
    curl_easy_setopt(slot.easy, CURLOPT_WRITEFUNCTION, take_page);
    curl_easy_setopt(slot.easy, CURLOPT_WRITEDATA, &page);
    curl_easy_setopt(slot.easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    CURLcode code = curl_easy_perform(slot.easy);
    long http_code = 0;
    curl_easy_getinfo(slot.easy, CURLINFO_RESPONSE_CODE, &http_code);
    curl_easy_cleanup(slot.easy);
    if (code != CURLE_OK) {
        free(page.text);
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_HTTP_UNREACHABLE, "get %.100s: %s", url,
                         slot.error[0] != '\0' ? slot.error : curl_easy_strerror(code));
    }
    *ret_code = (int)http_code;
    *ret_text = page.text;
    return SYNC_OK;
}
