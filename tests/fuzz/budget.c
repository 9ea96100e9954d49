/*
 * Measures CPU time, not time, and every allocation, also those that are given back. A busy machine
 * breaks no promise: a virtual one books time that others stole as ours, so a run that was
 * preempted may take ten times as long.
 */
#include "budget.h"

#include <sanitizer/allocator_interface.h>
#include <sys/resource.h>
#include <time.h>

/* Of this thread: libFuzzer's watchdog starts beside the first inputs, and allocates. */
static _Thread_local size_t asked_bytes;

static void on_malloc(const volatile void *memory, size_t size)
{
    (void)memory;
    asked_bytes += size;
}

static void on_free(const volatile void *memory)
{
    (void)memory;
}

static int64_t cpu_us(void)
{
    struct timespec now;
    FUZZ_CHECK(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) == 0);
    return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

static int64_t preemptions(void)
{
    struct rusage usage;
    FUZZ_CHECK(getrusage(RUSAGE_THREAD, &usage) == 0);
    return usage.ru_nivcsw;
}

void budget_begin(struct budget *budget)
{
    static bool hooked;
    if (!hooked) {
        FUZZ_CHECK(__sanitizer_install_malloc_and_free_hooks(on_malloc, on_free) != 0);
        hooked = true;
    }
    budget->start_bytes = asked_bytes;
    budget->preemptions = preemptions();
    budget->start_us = cpu_us();
}

void budget_end(const struct budget *budget, int64_t cpu_us_max, size_t bytes_max)
{
    int64_t spent_us = cpu_us() - budget->start_us;
    if (spent_us > cpu_us_max) {
        FUZZ_CHECK(preemptions() != budget->preemptions && spent_us <= 10 * cpu_us_max);
    }
    FUZZ_CHECK(asked_bytes - budget->start_bytes <= bytes_max);
}
