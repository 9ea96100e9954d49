/*
 * Checks links by taking them apart. What is not a plain letter of a URL is refused, so that no two
 * readers can see two hosts in one text. Not here: calling.
 */
#include "delegation_feed_link.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

struct address {
    bool secure;
    struct sync_bytes host;
    int port;
    struct sync_bytes path;  /* from its slash on */
    struct sync_bytes query; /* from its question mark on; may be empty */
};

static struct sync_bytes tail_of(struct sync_bytes text, size_t from)
{
    return (struct sync_bytes){text.data + from, text.size - from};
}

static bool starts(struct sync_bytes text, const char *prefix)
{
    size_t size = strlen(prefix);
    return text.size >= size && strncasecmp((const char *)text.data, prefix, size) == 0;
}

/* Visible ASCII without what quotes, escapes or parts an authority. */
static bool is_plain(struct sync_bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] <= ' ' || text.data[i] > '~' || strchr("\"<>\\^`{|}#@", text.data[i])) {
            return false;
        }
    }
    return true;
}

static size_t find(struct sync_bytes text, const char *any)
{
    size_t at = 0;
    while (at < text.size && !strchr(any, text.data[at])) {
        at++;
    }
    return at;
}

/* "host", "host:port", "[v6]:port" */
static bool split_authority(struct sync_bytes text, struct address *address)
{
    bool bracketed = text.size > 0 && text.data[0] == '[';
    size_t end = bracketed ? find(text, "]") + 1 : find(text, ":");
    if (end == 0 || end > text.size) {
        return false;
    }
    address->host = (struct sync_bytes){text.data, end};
    address->port = address->secure ? 443 : 80;
    if (end == text.size) {
        return true;
    }
    struct sync_bytes port = tail_of(text, end + 1);
    if (text.data[end] != ':' || port.size == 0 || port.size > 5) {
        return false;
    }
    address->port = 0;
    for (size_t i = 0; i < port.size; i++) {
        if (port.data[i] < '0' || port.data[i] > '9') {
            return false;
        }
        address->port = address->port * 10 + (port.data[i] - '0');
    }
    return address->port > 0 && address->port < 65536;
}

static bool split(struct sync_bytes text, struct address *ret_address)
{
    struct address address = {.secure = starts(text, "https://")};
    if (!is_plain(text) || (!address.secure && !starts(text, "http://"))) {
        return false;
    }
    struct sync_bytes rest = tail_of(text, address.secure ? 8 : 7);
    size_t end = find(rest, "/?");
    if (!split_authority((struct sync_bytes){rest.data, end}, &address)) {
        return false;
    }
    rest = tail_of(rest, end);
    end = find(rest, "?");
    address.path = (struct sync_bytes){rest.data, end};
    address.query = tail_of(rest, end);
    *ret_address = address;
    return true;
}

/* Behind the prefix only plain segments: nothing that another reader would resolve. */
static bool is_below(struct sync_bytes path, struct sync_bytes prefix)
{
    if (path.size < prefix.size || memcmp(path.data, prefix.data, prefix.size) != 0) {
        return false;
    }
    struct sync_bytes rest = tail_of(path, prefix.size);
    for (size_t i = 0; i < rest.size; i++) {
        uint8_t c = rest.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && c != '/' && c != '-' && c != '_') {
            return false;
        }
    }
    return rest.size == 0 || rest.data[0] == '/';
}

static bool make_feed(const char *base_url, char ret_feed[static FEED_LINK_SIZE])
{
    size_t size = strlen(base_url);
    while (size > 0 && base_url[size - 1] == '/') {
        size--;
    }
    int written = snprintf(ret_feed, FEED_LINK_SIZE, "%.*s" FEED_PATH, (int)size, base_url);
    return written > 0 && written < FEED_LINK_SIZE;
}

bool feed_link_first(const char *base_url, char ret_link[static FEED_LINK_SIZE])
{
    char feed[FEED_LINK_SIZE];
    if (!make_feed(base_url, feed)) {
        return false;
    }
    int written = snprintf(ret_link, FEED_LINK_SIZE, "%s?subscriptionId=10", feed);
    return written > 0 && written < FEED_LINK_SIZE;
}

bool feed_link_check(const char *base_url, struct sync_bytes link,
                     char ret_link[static FEED_LINK_SIZE])
{
    char feed[FEED_LINK_SIZE];
    struct address own, other;
    if (!make_feed(base_url, feed) || !split(sync_bytes_text(feed), &own) || !split(link, &other)) {
        return false;
    }
    bool same =
        own.secure == other.secure && own.port == other.port && own.host.size == other.host.size &&
        strncasecmp((const char *)own.host.data, (const char *)other.host.data, own.host.size) == 0;
    if (!same || !is_below(other.path, own.path)) {
        return false;
    }
    struct sync_bytes rest = tail_of(other.path, own.path.size);
    if (strlen(feed) + rest.size + other.query.size >= FEED_LINK_SIZE) {
        return false;
    }
    size_t size = strlen(feed);
    memcpy(ret_link, feed, size);
    memcpy(ret_link + size, rest.data, rest.size);
    memcpy(ret_link + size + rest.size, other.query.data, other.query.size);
    ret_link[size + rest.size + other.query.size] = '\0';
    return true;
}
