/* What one input may cost: CPU time and memory asked for, measured around the code under test. */
#ifndef SYNC_TESTS_FUZZ_BUDGET_H
#define SYNC_TESTS_FUZZ_BUDGET_H

#include <altinn_sync/status.h>
#include <altinn_sync/types.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* Unconditional: stops the fuzzer with the input that breaks the promise. */
#define FUZZ_CHECK(condition) SYNC_ASSERT(condition)

struct budget {
    int64_t start_us;
    int64_t preemptions;
    size_t start_bytes;
};
void budget_begin(struct budget *budget);
/* Stops when more than cpu_us_max went by (ten times that where the run was preempted), or more
 * than bytes_max was asked for in total. */
void budget_end(const struct budget *budget, int64_t cpu_us_max, size_t bytes_max);

#endif
