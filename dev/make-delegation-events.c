/*
 * Writes acts on delegations as JSON lines for test-delegation_producer: grants of Altinn 2, live
 * or as rows of a snapshot, by the numbers of delegations.h. The same numbers give the same bytes,
 * but for the time of capture, which the producer sets. Not here: putting them on a topic.
 */
#include "delegations.h"

#include <inttypes.h>
#include <runtime/clock.h>
#include <stdlib.h>

static const char *const help =
    "Usage: dev-make-delegation-events --parties N --resources N --keys FIRST-LAST [OPTIONS]\n"
    "\n"
    "  --rounds N        so many grants on each key, of another right each time (1, at most 3)\n"
    "  --single          rights of services only\n"
    "  --snapshot UUID   rows of this snapshot; else live events\n"
    "  --position N      of the stream at which the snapshot was taken (0)\n"
    "  --first-seq N     number of the first event (1)\n"
    "  --age-seconds N   how long ago the last grant was made (3600)\n";

struct wish {
    struct delegations_size size;
    int64_t first, last, rounds, position, first_seq, age_s, now_us;
    const char *snapshot;
    bool single;
};

/* The n-th key of a round: neighbours in number lie far apart in time. */
static int64_t key_at(const struct wish *wish, int64_t n)
{
    uint64_t count = (uint64_t)(wish->last - wish->first + 1);
    return wish->first + (int64_t)(((unsigned __int128)(uint64_t)n * 2654435761ULL) % count);
}

static void put_party(const char *name, int32_t party)
{
    char uuid[SYNC_UUID_BUFFER];
    struct sync_uuid id = population_party(party);
    sync_uuid_format(&id, uuid);
    (void)printf(",\"%s\":{\"uuid\":\"%s\"}", name, uuid);
}

static void put_single(const struct delegations_key *key, int64_t round)
{
    static const char *const rights[] = {"Read", "Write", "ArchiveRead"};
    char id[64];
    delegations_resource_id(key->resource, id, sizeof id);
    (void)printf("\"stream\":\"a2.rule.1\",\"weak\":true,\"kind\":\"SINGLE\",\"target\":{\"kind\":"
                 "\"RESOURCE\",\"id\":\"%s\"},\"rights\":[\"%s\"]",
                 id, rights[round]);
}

static void put_message(const struct delegations_key *key, int64_t round)
{
    char id[64], instance[80];
    delegations_resource_id(key->resource, id, sizeof id);
    delegations_instance(key->instance, instance, sizeof instance);
    (void)printf("\"stream\":\"a2.message.1\",\"weak\":true,\"kind\":\"INSTANCE\",\"target\":{"
                 "\"kind\":\"RESOURCE\",\"id\":\"%s\"},\"instance\":\"%s\",\"refs\":[\"%" PRId64
                 "\"],\"rights\":[\"read\"%s]",
                 id, instance, (int64_t)key->instance * 4 + round,
                 round == 0 ? ",\"subscribe\"" : "");
}

static void put_role(const struct delegations_key *key, int64_t seq)
{
    (void)printf("\"stream\":\"a2.role.1\",\"weak\":false,\"kind\":\"ROLE\",\"native_id\":%" PRId64
                 ",\"target\":{\"kind\":\"ROLE\",\"id\":\"%s\"},\"rights\":[\"*\"]",
                 seq, key->role);
    if (key->facilitator != 0) {
        put_party("facilitator", key->facilitator);
    }
}

static void put_line(const struct wish *wish, int64_t n, const struct delegations_key *key,
                     int64_t round)
{
    int64_t seq = wish->first_seq + n;
    int64_t total = (wish->last - wish->first + 1) * wish->rounds;
    (void)printf("{\"source\":\"A2\",\"seq\":%" PRId64 ",\"op\":\"GRANT\",\"by\":\"HUMAN\",", seq);
    if (key->kind == DELEGATIONS_SINGLE) {
        put_single(key, round);
    } else if (key->kind == DELEGATIONS_INSTANCE) {
        put_message(key, round);
    } else {
        put_role(key, seq);
    }
    put_party("from", key->from);
    put_party("to", key->to);
    if (wish->snapshot) {
        (void)printf(",\"snapshot_id\":\"%s\",\"snapshot_pos\":%" PRId64, wish->snapshot,
                     wish->position);
    }
    int64_t at_us = wish->now_us - wish->age_s * 1000000 - (total - n) * 1000;
    (void)printf(",\"event_time\":%" PRId64 "}\n", at_us);
}

static bool read_range(const char *text, struct wish *wish)
{
    long long first = 0, last = 0;
    char tail = 0;
    bool good = sscanf(text, "%lld-%lld%c", &first, &last, &tail) == 2 && first >= 0 &&
                last >= first && last < INT32_MAX;
    wish->first = first;
    wish->last = last;
    return good;
}

static bool read_option(struct wish *wish, const char *name, const char *value)
{
    const struct {
        const char *name;
        int64_t *number;
    } rows[] = {{"--rounds", &wish->rounds},
                {"--position", &wish->position},
                {"--first-seq", &wish->first_seq},
                {"--age-seconds", &wish->age_s}};
    if (strcmp(name, "--keys") == 0) {
        return read_range(value, wish);
    }
    if (strcmp(name, "--snapshot") == 0) {
        wish->snapshot = value;
        return true;
    }
    long long number = strtoll(value, NULL, 10);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(name, rows[i].name) == 0) {
            *rows[i].number = number;
            return number >= 0;
        }
    }
    bool parties = strcmp(name, "--parties") == 0;
    if ((!parties && strcmp(name, "--resources") != 0) || number < 4 || number > INT32_MAX) {
        return false;
    }
    *(parties ? &wish->size.parties : &wish->size.resources) = (int32_t)number;
    return true;
}

static bool read_options(int argc, char **argv, struct wish *ret_wish)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--single") == 0) {
            ret_wish->single = true;
        } else if (i + 1 == argc || !read_option(ret_wish, argv[i], argv[i + 1])) {
            return false;
        } else {
            i++;
        }
    }
    return ret_wish->size.parties > 0 && ret_wish->size.resources > 0 && ret_wish->last > 0 &&
           ret_wish->rounds >= 1 && ret_wish->rounds <= 3;
}

int main(int argc, char **argv)
{
    struct wish wish = {.rounds = 1, .first_seq = 1, .age_s = 3600, .now_us = sync_clock_wall_us()};
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        (void)fputs(help, stdout);
        return 0;
    }
    if (!read_options(argc, argv, &wish)) {
        (void)fputs("dev-make-delegation-events: the command line is not understood; see --help\n",
                    stderr);
        return 2;
    }
    int64_t count = wish.last - wish.first + 1;
    for (int64_t n = 0; n < count * wish.rounds; n++) {
        struct delegations_key key = delegations_key_of(&wish.size, key_at(&wish, n % count));
        if (!wish.single || key.kind == DELEGATIONS_SINGLE) {
            put_line(&wish, n, &key, n / count);
        }
    }
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
