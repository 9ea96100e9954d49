/* What an SQLSTATE means for the caller: one table. Not here: reading it from an answer. */
#include "postgres.h"

struct class_row {
    const char *prefix;
    enum sync_class class;
    enum sync_code code;
};

/* Longer prefixes stand before shorter ones that they begin with: the first match decides. */
static const struct class_row class_rows[] = {
    {"08", SYNC_CLASS_RETRY, SYNC_CODE_DB_UNREACHABLE},
    {"25006", SYNC_CLASS_RETRY,
     SYNC_CODE_DB_UNREACHABLE}, /* a standby: connect to a read-write node */
    {"25P03", SYNC_CLASS_RETRY, SYNC_CODE_DB_UNREACHABLE}, /* idle in transaction too long */
    {"25P02", SYNC_CLASS_RETRY, SYNC_CODE_DB_CONFLICT},
    {"40001", SYNC_CLASS_RETRY, SYNC_CODE_DB_CONFLICT},
    {"40P01", SYNC_CLASS_RETRY, SYNC_CODE_DB_CONFLICT},
    {"53400", SYNC_CLASS_FATAL, SYNC_CODE_DB_REFUSED}, /* a limit of the server's configuration */
    {"53", SYNC_CLASS_RETRY, SYNC_CODE_DB_UNREACHABLE},
    {"55006", SYNC_CLASS_RETRY, SYNC_CODE_DB_CONFLICT},
    {"55P03", SYNC_CLASS_RETRY, SYNC_CODE_DB_CONFLICT},
    {"57014", SYNC_CLASS_RETRY, SYNC_CODE_TIMEOUT},
    {"57P0", SYNC_CLASS_RETRY, SYNC_CODE_DB_UNREACHABLE},
    {"58030", SYNC_CLASS_RETRY, SYNC_CODE_DB_UNREACHABLE},
    {"23503", SYNC_CLASS_RETRY,
     SYNC_CODE_DB_ROW_GONE}, /* only rows of Altinn 3 are referenced by key */
    {"22", SYNC_CLASS_PARK, SYNC_CODE_DATA_REFUSED},
    {"23", SYNC_CLASS_PARK, SYNC_CODE_DATA_REFUSED},
    {"42P01", SYNC_CLASS_FATAL, SYNC_CODE_DB_SCHEMA},
    {"42703", SYNC_CLASS_FATAL, SYNC_CODE_DB_SCHEMA},
    {"42704", SYNC_CLASS_FATAL, SYNC_CODE_DB_SCHEMA},
    {"42883", SYNC_CLASS_FATAL, SYNC_CODE_DB_SCHEMA},
    {"42", SYNC_CLASS_FATAL, SYNC_CODE_DB_REFUSED},
    {"28", SYNC_CLASS_FATAL, SYNC_CODE_DB_REFUSED},
    {"3D000", SYNC_CLASS_FATAL, SYNC_CODE_DB_REFUSED},
    {"3F000", SYNC_CLASS_FATAL, SYNC_CODE_DB_SCHEMA},
    {"0A", SYNC_CLASS_FATAL, SYNC_CODE_DB_REFUSED},
};

enum sync_class sync_db_classify(const char *sqlstate, enum sync_code *ret_code)
{
    if (sqlstate[0] == '\0') {
        *ret_code = SYNC_CODE_DB_UNREACHABLE;
        return SYNC_CLASS_RETRY;
    }
    for (size_t i = 0; i < sizeof class_rows / sizeof class_rows[0]; i++) {
        if (strncmp(sqlstate, class_rows[i].prefix, strlen(class_rows[i].prefix)) == 0) {
            *ret_code = class_rows[i].code;
            return class_rows[i].class;
        }
    }
    *ret_code = SYNC_CODE_INTERNAL; /* nobody thought of it: repeated, counted, alarmed */
    return SYNC_CLASS_RETRY;
}
