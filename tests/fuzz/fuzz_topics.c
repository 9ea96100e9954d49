/*
 * Any bytes as topics.yaml: every end is a list of topics or an error that names the place, within
 * bounds. The loader reads files, so the bytes go through one in memory.
 */
#include "budget.h"

#include "runtime/topics.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* The file comes with the program; its bounds are those of the whole process. */
#define BYTES_MAX  (64 * 1024 * 1024)
#define CPU_US_MAX 2000000

static int file = -1;
static char path[64];
static struct sync_topic_errors errors;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    file = memfd_create("topics.yaml", MFD_CLOEXEC);
    FUZZ_CHECK(file >= 0);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    return 0;
}

static void write_file(const uint8_t *data, size_t size)
{
    FUZZ_CHECK(ftruncate(file, 0) == 0);
    FUZZ_CHECK(pwrite(file, data, size, 0) == (ssize_t)size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    write_file(data, size);
    const char *const paths[] = {path, path};
    /* Twice the same file is a base and its overlay. */
    for (size_t count = 1; count <= 2; count++) {
        struct sync_topics *topics = NULL;
        struct sync_error err = {0};
        struct budget budget;
        errors.count = 0;
        budget_begin(&budget);
        sync_status status = sync_topics_load(paths, count, &topics, &errors, &err);
        budget_end(&budget, CPU_US_MAX, BYTES_MAX);
        FUZZ_CHECK(sync_is_ok(status) == (topics != NULL));
        if (topics == NULL) {
            FUZZ_CHECK(status.class == SYNC_CLASS_FATAL && err.text[0] != '\0');
        } else {
            FUZZ_CHECK(topics->count <= SYNC_TOPICS_MAX);
        }
        FUZZ_CHECK(errors.count <= SYNC_TOPIC_ERRORS_MAX);
        free(topics);
    }
    return 0;
}
