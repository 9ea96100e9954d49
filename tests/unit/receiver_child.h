/*
 * A receiver as a process of its own, whose database and broker refuse every connection, and plain
 * HTTP calls to it. Not here: what is called.
 */
#ifndef SYNC_TESTS_RECEIVER_CHILD_H
#define SYNC_TESTS_RECEIVER_CHILD_H
#include "runtime/config.h"
#include "runtime/log.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define JSON        "Content-Type: application/json\r\n"
#define PATIENCE_MS 30000

typedef sync_status receiver_entry(const struct sync_config *config, struct sync_error *err);

static struct sync_config config;

struct child {
    pid_t pid;
    int port;
};

static inline void base_config(void)
{
    memset(&config, 0, sizeof config);
    snprintf(config.kafka_bootstrap, sizeof config.kafka_bootstrap, "127.0.0.1:1");
    snprintf(config.database_dsn, sizeof config.database_dsn,
             "host=127.0.0.1 port=1 dbname=none user=none");
    snprintf(config.schemas_dir, sizeof config.schemas_dir, "%s/schemas", SYNC_SOURCE_DIR);
    snprintf(config.http_listen, sizeof config.http_listen, "127.0.0.1:0");
    snprintf(config.capture_listen, sizeof config.capture_listen, "127.0.0.1:0");
}

/* Reads log lines until "ready" tells the port; 0 when the child ended before. */
static inline int read_port(int pipe_end)
{
    FILE *file = fdopen(pipe_end, "r");
    char line[4096];
    int port = 0;
    while (port == 0 && file && fgets(line, sizeof line, file)) {
        const char *listen = strstr(line, "\"listen\":\"127.0.0.1:");
        port = strstr(line, "\"ready\"") && listen
                   ? atoi(listen + strlen("\"listen\":\"127.0.0.1:"))
                   : 0;
    }
    return port; /* the stream stays open, else the child's next log line would kill it */
}

static inline struct child start_child(receiver_entry *run)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    fflush(stdout);
    struct child child = {.pid = fork()};
    if (child.pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(ends[1], STDOUT_FILENO);
        sync_log_init("altinn2-status", SYNC_ERROR);
        sync_log_set_level(SYNC_INFO);
        struct sync_error err = {0};
        _exit(sync_is_ok(run(&config, &err)) ? 0 : 1);
    }
    close(ends[1]);
    child.port = read_port(ends[0]);
    assert_true(child.port > 0);
    return child;
}

static inline int end_child(const struct child *child)
{
    int state = 0;
    kill(child->pid, SIGTERM);
    assert_int_equal(waitpid(child->pid, &state, 0), child->pid);
    return WIFEXITED(state) ? WEXITSTATUS(state) : -1;
}

static inline int connect_to(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
    assert_true(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    return fd;
}

/* The code of the answer on a connection; the text is kept for a look at it. */
static char answer[8192];
static inline int read_code(int fd)
{
    size_t size = 0;
    ssize_t got;
    while (size + 1 < sizeof answer &&
           (got = recv(fd, answer + size, sizeof answer - 1 - size, 0)) > 0) {
        size += (size_t)got;
        answer[size] = '\0';
        const char *end = strstr(answer, "\r\n\r\n");
        const char *length = strstr(answer, "Content-Length: ");
        if (end && length && size >= (size_t)(end + 4 - answer) + strtoul(length + 16, NULL, 10)) {
            break;
        }
    }
    answer[size] = '\0';
    return size > 12 ? atoi(answer + 9) : 0;
}

static inline int call(const struct child *child, const char *method, const char *path,
                       const char *headers, const char *body)
{
    char text[4096];
    int fd = connect_to(child->port);
    int size =
        snprintf(text, sizeof text, "%s %s HTTP/1.1\r\nHost: x\r\n%sContent-Length: %zu\r\n\r\n%s",
                 method, path, headers, strlen(body), body);
    assert_int_equal(send(fd, text, (size_t)size, MSG_NOSIGNAL), size);
    int code = read_code(fd);
    close(fd);
    return code;
}

#endif
