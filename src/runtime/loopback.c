/* Says whether a host is this machine only. Not here: what follows from it (config_check.c,
 * clients). */
#include "config.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>

static bool is_loopback_address(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *four = (const struct sockaddr_in *)(const void *)address;
        return ntohl(four->sin_addr.s_addr) >> 24 == 127;
    }
    if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)(const void *)address;
        return IN6_IS_ADDR_LOOPBACK(&six->sin6_addr) ||
               (IN6_IS_ADDR_V4MAPPED(&six->sin6_addr) && six->sin6_addr.s6_addr[12] == 127);
    }
    return false;
}

bool sync_config_is_loopback(const char *host)
{
    if (host[0] == '/' || host[0] == '@') {
        return true;
    }
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    if (host[0] == '\0' || getaddrinfo(host, NULL, &hints, &found) != 0) {
        return false; /* a name nobody knows is not known to be safe */
    }
    bool all = true;
    for (const struct addrinfo *at = found; at != NULL; at = at->ai_next) {
        all = all && is_loopback_address(at->ai_addr);
    }
    freeaddrinfo(found);
    return all;
}
