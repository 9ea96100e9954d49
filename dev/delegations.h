/*
 * Who may give what to whom in demo and tests of delegations: the simulators of both sides, the
 * maker of the population and the benchmark compute the same keys from the same numbers, so that
 * they meet on them without talking. Not here: who acts when, and anything the program itself may
 * use.
 */
#ifndef SYNC_DEV_DELEGATIONS_H
#define SYNC_DEV_DELEGATIONS_H

#include "population.h"

/* Parties have the numbers of population.h: odd ones are organisations, even ones persons. */
#define DELEGATIONS_USER_FIRST 20000000 /* user id of a person = this + party number */
#define DELEGATIONS_SERVICE    5100     /* code of the first service */
#define DELEGATIONS_FIRMS      10       /* one organisation in so many keeps books for others */

/* Kinds of resources, by turns over their numbers. */
enum delegations_resource {
    DELEGATIONS_MESSAGES = 0,  /* CorrespondenceService with an A2 service, edition 2 */
    DELEGATIONS_FORM = 1,      /* AltinnApp: no service, named by org and app */
    DELEGATIONS_ARCHIVE = 2,   /* CorrespondenceService once more: the most used one */
    DELEGATIONS_SERVICE_1 = 3, /* GenericAccessResource with an A2 service, edition 1 */
    DELEGATIONS_SCHEMA = 4,    /* MaskinportenSchema with an A2 service, edition 1 */
    DELEGATIONS_RESOURCE_KINDS = 5
};

/* How many of each the run knows: the same numbers go to every program. */
struct delegations_size {
    int32_t parties;   /* from POPULATION_PARTY_FIRST on; even */
    int32_t resources; /* a multiple of DELEGATIONS_RESOURCE_KINDS */
    int64_t keys;      /* grants that somebody may act on */
};

enum delegations_kind {
    DELEGATIONS_SINGLE = 0,
    DELEGATIONS_INSTANCE = 1,
    DELEGATIONS_ROLE = 2,
    DELEGATIONS_CLIENT = 3, /* a role of the bookkeeper: with a facilitator */
};

/* One key by its number. What a kind does not have is 0. */
struct delegations_key {
    enum delegations_kind kind;
    int32_t from, to, facilitator; /* party numbers */
    int32_t resource;              /* its number */
    int32_t instance;              /* number of the message */
    const char *role;              /* code in upper case, as Altinn 2 writes it */
};

static inline bool delegations_is_person(int32_t party)
{
    return party % 2 == 0;
}

/* Number of a login; 0 for organisations, which have none. */
static inline int32_t delegations_user(int32_t party)
{
    return delegations_is_person(party) ? DELEGATIONS_USER_FIRST + party : 0;
}

/* The id of a resource in the registry. */
static inline void delegations_resource_id(int32_t resource, char *ret_text, size_t size)
{
    static const char *const forms[DELEGATIONS_RESOURCE_KINDS] = {
        "ttd-migratedcorrespondence-%d-2", "app_ttd_form%d", "ttd-migratedcorrespondence-%d-2",
        "ttd-service-%d", "ttd-schema-%d"};
    const char *form = forms[resource % DELEGATIONS_RESOURCE_KINDS];
    const char *hole = strchr(form, '%');
    (void)snprintf(ret_text, size, "%.*s%d%s", (int)(hole - form), form,
                   DELEGATIONS_SERVICE + (int)resource, hole + 2);
}

/* Code of its service in Altinn 2, 0 for apps; its edition. */
static inline int32_t delegations_service(int32_t resource)
{
    return resource % DELEGATIONS_RESOURCE_KINDS == DELEGATIONS_FORM
               ? 0
               : DELEGATIONS_SERVICE + resource;
}
static inline int32_t delegations_edition(int32_t resource)
{
    int32_t kind = resource % DELEGATIONS_RESOURCE_KINDS;
    return kind == DELEGATIONS_MESSAGES || kind == DELEGATIONS_ARCHIVE ? 2 : 1;
}

/* Ids of rows in Altinn 3 have the form of version 7, which its application asks for. */
static inline struct sync_uuid delegations_row_id(const char *kind, int32_t number)
{
    struct sync_uuid id = population_id(kind, number);
    id.bytes[6] = (uint8_t)(0x70 | (id.bytes[6] & 0x0f));
    return id;
}

/* Roles that have no facilitator: with a package, with two, with a condition, with none. */
static inline const char *delegations_role(int64_t number)
{
    static const char *const roles[] = {"HADM",  "LOPER",  "ADMAI", "UTINN",
                                        "A0278", "APIADM", "A0282", "REGNA"};
    return roles[number % 8];
}

/* The bookkeeper of an organisation; 0 when it keeps its books itself. */
static inline int32_t delegations_firm(const struct delegations_size *size, int32_t organisation)
{
    int32_t half = size->parties / 2, at = (organisation - POPULATION_PARTY_FIRST) / 2;
    int32_t firm = (at / DELEGATIONS_FIRMS * DELEGATIONS_FIRMS + DELEGATIONS_FIRMS) % half;
    int32_t party = POPULATION_PARTY_FIRST + 2 * firm;
    return at % DELEGATIONS_FIRMS == 0 || party == organisation ? 0 : party;
}

/*
 * The key of a number below size->keys. Ten neighbours of one giver are five single rights, three
 * messages, a role and a client role (a second role where the giver has no bookkeeper).
 */
static inline struct delegations_key delegations_key_of(const struct delegations_size *size,
                                                        int64_t number)
{
    int32_t half = size->parties / 2, at = (int32_t)(number % half);
    int64_t turn = number / half;
    struct delegations_key key = {.from = POPULATION_PARTY_FIRST + 2 * at};
    /* Every third single right goes to an organisation. */
    int32_t other = (int32_t)((at + 1 + turn * 31 % (half - 1)) % half);
    key.to = POPULATION_PARTY_FIRST + 2 * other + 1;
    int64_t place = turn % 10;
    if (place < 5) {
        key.kind = DELEGATIONS_SINGLE;
        key.resource = (int32_t)((turn / 10 * 5 + place) % size->resources);
        key.to -= turn % 3 == 0 && other != at ? 1 : 0;
    } else if (place < 8) {
        key.kind = DELEGATIONS_INSTANCE;
        key.instance = (int32_t)(number % INT32_MAX);
        key.resource = (int32_t)(turn * DELEGATIONS_RESOURCE_KINDS % size->resources);
    } else {
        key.facilitator = place == 9 ? delegations_firm(size, key.from) : 0;
        key.kind = key.facilitator != 0 ? DELEGATIONS_CLIENT : DELEGATIONS_ROLE;
        static const char *const roles[] = {"A0239", "A0240", "A0241"};
        key.role = key.facilitator != 0 ? roles[turn / 10 % 3] : delegations_role(turn / 10);
    }
    return key;
}

/* The URN of a message, as both sides name an instance. */
static inline void delegations_instance(int32_t message, char *ret_text, size_t size)
{
    char id[SYNC_UUID_BUFFER];
    struct sync_uuid uuid = population_message(message);
    sync_uuid_format(&uuid, id);
    (void)snprintf(ret_text, size, "urn:altinn:correspondence-id:%s", id);
}

#endif
