/*
 * Lines of a client.properties, unescaped in the place where they were read to: a text only gets
 * shorter.
 */
#include "client_file.h"

#include "../core/limits.h"
#include "../core/utf8.h"
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct reader {
    const char *path;
    int fd;
    char *text; /* ends with NUL */
    size_t size;
    char *at; /* where the next line begins */
    int line; /* its number */
    const char *names[SYNC_CONFIG_PROPERTIES_MAX];
    size_t count;
};

static sync_status fault(const struct reader *reader, int line, const char *sentence,
                         struct sync_error *err)
{
    return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_SYNTAX, "%.150s:%d: %s", reader->path, line,
                     sentence);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\f';
}

static char *skip_blanks(char *at)
{
    while (is_blank(*at)) {
        at++;
    }
    return at;
}

/* Cuts one line off, without its end. */
static char *cut_line(struct reader *reader)
{
    char *line = reader->at;
    char *end = line + strcspn(line, "\r\n");
    reader->at = end + (*end == '\r' && end[1] == '\n') + (*end != '\0');
    reader->line++;
    *end = '\0';
    return line;
}

static bool goes_on(const char *line)
{
    size_t size = strlen(line), slashes = 0;
    while (slashes < size && line[size - 1 - slashes] == '\\') {
        slashes++;
    }
    return slashes % 2 == 1;
}

/*
 * The next line that is neither empty nor a comment, with those that it goes on in moved up behind
 * it; NULL at the end of the file.
 */
static char *next_line(struct reader *reader, int *ret_line)
{
    char *line = NULL;
    do {
        if (*reader->at == '\0') {
            return NULL;
        }
        line = skip_blanks(cut_line(reader));
    } while (*line == '\0' || *line == '#' || *line == '!');
    *ret_line = reader->line;
    while (goes_on(line) && *reader->at != '\0') {
        char *more = skip_blanks(cut_line(reader));
        memmove(line + strlen(line) - 1, more, strlen(more) + 1);
    }
    if (goes_on(line)) {
        line[strlen(line) - 1] = '\0'; /* at the end of the file */
    }
    return line;
}

/* "name = value" -> two texts. A mark behind a backslash belongs to the name. */
static char *split(char *line)
{
    char *end = line;
    while (*end != '\0' && *end != '=' && *end != ':' && !is_blank(*end)) {
        end += *end == '\\' && end[1] != '\0' ? 2 : 1;
    }
    char *value = skip_blanks(end);
    if (*value == '=' || *value == ':') {
        value = skip_blanks(value + 1);
    }
    *end = '\0';
    return value;
}

/* The character of \uXXXX as UTF-8, at most three bytes. 0: no such character. */
static size_t put_unicode(const char *digits, char *to)
{
    char copy[5] = "", *end = NULL;
    memcpy(copy, digits, strnlen(digits, 4));
    unsigned long c = strtoul(copy, &end, 16);
    bool whole = end == copy + 4 && strspn(copy, "0123456789abcdefABCDEF") == 4;
    if (!whole || c == 0 || (c >= 0xd800 && c <= 0xdfff)) {
        return 0;
    }
    if (c < 0x80) {
        to[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        to[0] = (char)(0xc0 | c >> 6);
        to[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    to[0] = (char)(0xe0 | c >> 12);
    to[1] = (char)(0x80 | (c >> 6 & 0x3f));
    to[2] = (char)(0x80 | (c & 0x3f));
    return 3;
}

/* In its place. False: an escape that stands for nothing. */
static bool unescape(char *text)
{
    static const char letters[] = "tnrf", meant[] = "\t\n\r\f";
    char *to = text;
    for (const char *at = text; *at != '\0'; at++) {
        if (*at != '\\' || at[1] == '\0') {
            *to++ = *at;
            continue;
        }
        at++;
        if (*at == 'u') {
            size_t size = put_unicode(at + 1, to);
            if (size == 0) {
                return false;
            }
            to += size;
            at += 4;
        } else {
            const char *letter = strchr(letters, *at); /* any other character stands for itself */
            *to++ = letter != NULL ? meant[letter - letters] : *at;
        }
    }
    *to = '\0';
    return true;
}

static sync_status take_line(struct reader *reader, char *line, int number,
                             sync_client_property_take *take, void *context, struct sync_error *err)
{
    char *value = split(line);
    if (!unescape(line) || !unescape(value)) {
        return fault(reader, number, "\\u takes four hexadecimal digits of one character", err);
    }
    if (line[0] == '\0') {
        return fault(reader, number, "the name of a property is missing", err);
    }
    for (size_t i = 0; i < reader->count; i++) {
        if (strcmp(reader->names[i], line) == 0) {
            return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_SYNTAX,
                             "%.150s:%d: %.60s stands twice; remove one", reader->path, number,
                             line);
        }
    }
    if (reader->count == SYNC_CONFIG_PROPERTIES_MAX) {
        return fault(reader, number, "there are more than 64 properties", err);
    }
    reader->names[reader->count++] = line;
    struct sync_client_property property = {
        .name = line, .value = value, .path = reader->path, .line = number, .fd = reader->fd};
    return take(context, &property, err);
}

static sync_status check_text(const struct reader *reader, struct sync_error *err)
{
    struct sync_bytes rest = {(const uint8_t *)reader->text, reader->size};
    int line = 1;
    while (rest.size > 0) {
        size_t size = rest.data[0] == '\0' ? 0 : sync_utf8_sequence(rest);
        if (size == 0) {
            return fault(reader, line, "a byte is not UTF-8 text; save the file as UTF-8", err);
        }
        line += rest.data[0] == '\n';
        rest = (struct sync_bytes){rest.data + size, rest.size - size};
    }
    return SYNC_OK;
}

static sync_status unreadable(const char *path, const char *reason, struct sync_error *err)
{
    return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_FILE, "read %.150s: %s", path, reason);
}

static sync_status read_all(struct reader *reader, struct sync_error *err)
{
    reader->text = malloc(SYNC_CLIENT_FILE_BYTES_MAX + 1);
    SYNC_ASSERT(reader->text != NULL);
    ssize_t got = 1;
    while (got > 0 && reader->size <= SYNC_CLIENT_FILE_BYTES_MAX) {
        got = read(reader->fd, reader->text + reader->size,
                   SYNC_CLIENT_FILE_BYTES_MAX + 1 - reader->size);
        reader->size += got > 0 ? (size_t)got : 0;
    }
    if (got < 0) {
        return unreadable(reader->path, strerror(errno), err);
    }
    if (reader->size > SYNC_CLIENT_FILE_BYTES_MAX) {
        return unreadable(reader->path, "larger than 64 KiB", err);
    }
    reader->text[reader->size] = '\0';
    reader->at = reader->text;
    return check_text(reader, err);
}

static sync_status take_all(struct reader *reader, sync_client_property_take *take, void *context,
                            struct sync_error *err)
{
    int number = 0;
    sync_status status = read_all(reader, err);
    char *line = sync_is_ok(status) ? next_line(reader, &number) : NULL;
    while (line != NULL && sync_is_ok(status)) {
        status = take_line(reader, line, number, take, context, err);
        line = next_line(reader, &number);
    }
    return status;
}

sync_status sync_client_file_read(const char *path, sync_client_property_take *take, void *context,
                                  struct sync_error *err)
{
    struct reader reader = {.path = path, .fd = open(path, O_RDONLY | O_CLOEXEC)};
    if (reader.fd < 0) {
        return unreadable(path, strerror(errno), err);
    }
    sync_status status = take_all(&reader, take, context, err);
    (void)close(reader.fd); /* read only: nothing can be lost */
    if (reader.text != NULL) {
        explicit_bzero(reader.text, SYNC_CLIENT_FILE_BYTES_MAX + 1);
        free(reader.text);
    }
    return status;
}
