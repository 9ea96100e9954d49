/* Opens secret files with their owner and mode checked. Not here: what a secret is for. */
#include "secret.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static sync_status unreadable(const char *setting, const char *path, int reason,
                              struct sync_error *err)
{
    return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_FILE, "read %.100s for %s: %s", path, setting,
                     strerror(reason));
}

/* The open file is judged, not its name: a name can be changed in between. */
sync_status sync_secret_check_open(const char *setting, const char *path, int fd,
                                   struct sync_error *err)
{
    struct stat about;
    if (fstat(fd, &about) != 0) {
        return unreadable(setting, path, errno, err);
    }
    const char *fault = NULL;
    if (!S_ISREG(about.st_mode)) {
        fault = "it is not a regular file";
    } else if (about.st_uid != 0 && about.st_uid != geteuid()) {
        fault = "its owner must be root or the user of this process; change it with chown";
    } else if ((about.st_mode & (S_IRWXO | S_IWGRP)) != 0) {
        fault = "others must not read it and only its owner may write it; run chmod 0440 on it";
    }
    return fault == NULL ? SYNC_OK
                         : sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_INSECURE,
                                     "read %.100s for %s: %s", path, setting, fault);
}

static sync_status open_checked(const char *setting, const char *path, int *ret_fd,
                                struct sync_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return unreadable(setting, path, errno, err);
    }
    sync_status status = sync_secret_check_open(setting, path, fd, err);
    if (!sync_is_ok(status)) {
        (void)close(fd);
        return status;
    }
    *ret_fd = fd;
    return SYNC_OK;
}

sync_status sync_secret_check(const char *setting, const char *path, struct sync_error *err)
{
    int fd = -1;
    sync_status status = open_checked(setting, path, &fd, err);
    if (sync_is_ok(status)) {
        (void)close(fd); /* nothing was read */
    }
    return status;
}

sync_status sync_secret_read(const char *setting, const char *path, char *ret_text, size_t size,
                             struct sync_error *err)
{
    SYNC_ASSERT(size > 1);
    int fd = -1;
    sync_status status = open_checked(setting, path, &fd, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    char text[SYNC_SECRET_MAX + 1];
    ssize_t got = read(fd, text, sizeof text);
    int reason = got < 0 ? errno : 0;
    (void)close(fd); /* read only: nothing can be lost */
    size_t used = got > 0 ? (size_t)got : 0;
    bool whole = used < sizeof text;
    while (used > 0 && (text[used - 1] == '\n' || text[used - 1] == '\r')) {
        used--;
    }
    const char *fault = NULL;
    if (reason != 0) {
        fault = strerror(reason);
    } else if (used == 0) {
        fault = "it is empty";
    } else if (!whole || used >= size) {
        fault = "it is too long for a secret";
    } else if (memchr(text, '\n', used) != NULL || memchr(text, '\0', used) != NULL) {
        fault = "it must hold one line of text";
    }
    if (fault == NULL) {
        memcpy(ret_text, text, used);
        ret_text[used] = '\0';
    }
    explicit_bzero(text, sizeof text);
    if (fault != NULL) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_FILE, "read %.100s for %s: %s", path,
                         setting, fault);
    }
    return SYNC_OK;
}
