/*
 * Any bytes as client.properties: every end is a list of properties with well-formed texts, or an
 * error that names the place. The reader reads files, so the bytes go through one in memory.
 */
#include "budget.h"

#include "core/utf8.h"
#include "runtime/client_file.h"
#include "runtime/config.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define BYTES_MAX  (1024 * 1024)
#define CPU_US_MAX 200000

static int file = -1;
static char path[64];

struct seen {
    size_t count;
    int line;
};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    file = memfd_create("client.properties", MFD_CLOEXEC);
    FUZZ_CHECK(file >= 0);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    return 0;
}

static sync_status take(void *context, const struct sync_client_property *property,
                        struct sync_error *err)
{
    struct seen *seen = context;
    (void)err;
    FUZZ_CHECK(property->name[0] != '\0' && property->fd >= 0);
    FUZZ_CHECK(sync_utf8_is_text(sync_bytes_text(property->name)));
    FUZZ_CHECK(sync_utf8_is_text(sync_bytes_text(property->value)));
    FUZZ_CHECK(property->line > seen->line);
    seen->line = property->line;
    seen->count++;
    return SYNC_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seen seen = {0};
    struct sync_error err = {0};
    struct budget budget;
    FUZZ_CHECK(ftruncate(file, 0) == 0);
    FUZZ_CHECK(pwrite(file, data, size, 0) == (ssize_t)size);
    budget_begin(&budget);
    sync_status status = sync_client_file_read(path, take, &seen, &err);
    budget_end(&budget, CPU_US_MAX, BYTES_MAX);
    FUZZ_CHECK(seen.count <= SYNC_CONFIG_PROPERTIES_MAX);
    FUZZ_CHECK(sync_is_ok(status) || err.text[0] != '\0');
    return 0;
}
