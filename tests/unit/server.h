/*
 * The PostgreSQL server that a test program uses. Not here: databases on it.
 */
#ifndef SYNC_TESTS_SERVER_H
#define SYNC_TESTS_SERVER_H
#include <stdio.h>
#include <stdlib.h>

/* SYNC_TEST_DSN, or NULL when it is not set: the caller skips. Under SYNC_TEST_STRICT, as CI sets
 * it, nothing may be skipped: the program fails. */
static inline const char *server_dsn(void)
{
    const char *dsn = getenv("SYNC_TEST_DSN");
    if (dsn == NULL && getenv("SYNC_TEST_STRICT") != NULL) {
        (void)fputs("SYNC_TEST_STRICT is set and SYNC_TEST_DSN is not: these tests may not be "
                    "skipped\n",
                    stderr);
        exit(1);
    }
    return dsn;
}

#endif
