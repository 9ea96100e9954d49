/* Which databases there are and where the configuration says they are. Not here: what is in them.
 */
#include "home.h"

#include <stdio.h>
#include <string.h>

/* One row per home; an entity names its home in its descriptor. */
static const struct {
    const char *name, *setting;
    size_t offset;
} homes[] = {
    {"correspondence", "database.dsn", offsetof(struct sync_config, database_dsn)},
    {"authorization", "database.authorization_dsn",
     offsetof(struct sync_config, database_authorization_dsn)},
};
#define HOME_COUNT (sizeof homes / sizeof homes[0])
_Static_assert(HOME_COUNT <= SYNC_HOMES_MAX, "every home has a place in the callers' arrays");

static struct sync_home home_at(const struct sync_config *config, size_t i)
{
    return (struct sync_home){homes[i].name, (const char *)config + homes[i].offset,
                              homes[i].setting};
}

size_t sync_homes_read(const struct sync_config *config, struct sync_home *ret_homes)
{
    size_t count = 0;
    for (size_t i = 0; i < HOME_COUNT; i++) {
        struct sync_home home = home_at(config, i);
        if (home.dsn[0] != '\0') {
            ret_homes[count++] = home;
        }
    }
    return count;
}

/* "correspondence, authorization": for the sentence about a name that is none of them. */
static void list_names(char *ret_text, size_t size)
{
    size_t used = 0;
    ret_text[0] = '\0';
    for (size_t i = 0; i < HOME_COUNT && used < size; i++) {
        used += (size_t)snprintf(ret_text + used, size - used, "%s%s", i > 0 ? ", " : "",
                                 homes[i].name);
    }
}

sync_status sync_home_find(const struct sync_config *config, const char *name, const char *who,
                           struct sync_home *ret_home, struct sync_error *err)
{
    char names[96];
    for (size_t i = 0; i < HOME_COUNT; i++) {
        struct sync_home home = home_at(config, i);
        if (strcmp(home.name, name) != 0) {
            continue;
        }
        if (home.dsn[0] == '\0') {
            return sync_fail_field(err, SYNC_CLASS_FATAL, SYNC_CODE_CONFIG, home.setting,
                                   "%s: its home is %s, but %s is empty; set it", who, home.name,
                                   home.setting);
        }
        *ret_home = home;
        return SYNC_OK;
    }
    list_names(names, sizeof names);
    return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_CONFIG,
                     "%s: there is no home \"%.40s\"; the homes are %s", who, name, names);
}
