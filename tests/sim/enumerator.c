/*
 * Proves the rules of status on a small world by trying everything: every set of changes, every
 * duplicate, every order of arrival and batch split, every moment of a flip or an adoption, every
 * echo. Depth first, states pruned by a digest of all that decides the future. Not here: what a
 * step does (world.c).
 */
#include "world.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DEPTH_MAX     96
#define MEMO_BITS_MIN 16
#define JOBS_MAX      16

struct options {
    int set_max, duplicates_max, adopted_set_max, jobs;
    bool self_test;
};

/* One state that was visited: its digest, how it was reached, how many runs go on from it. */
struct memo_entry {
    uint64_t high, low;
    double runs;
    int16_t depth;
    bool used;
};

struct memo {
    struct memo_entry *entries;
    size_t mask, count;
};

struct counts {
    uint64_t worlds, states, steps, ends, one_way;
    double runs;
};

struct search {
    const struct world_model *model;
    struct memo memo;
    struct counts counts;
    int depth_max;
    struct world_step path[DEPTH_MAX];
    uint64_t end_digest[2]; /* of the ends so far, hidden and visible; 0: none yet */
    int broken_depth;       /* 0: nothing is broken */
    struct world_fault fault;
};

/* Shared by the processes of one size. */
struct shared {
    atomic_uint next;
    atomic_uint broken_set; /* lowest broken set of the size, 0: none */
    struct counts counts[JOBS_MAX];
};

static void *must(void *memory)
{
    if (memory == NULL || memory == MAP_FAILED) {
        fprintf(stderr, "enumerator: no memory\n");
        exit(2);
    }
    return memory;
}

/* Digest and memo. */

static uint64_t mix(uint64_t value)
{
    value ^= value >> 33;
    value *= 0xff51afd7ed558ccdULL;
    value ^= value >> 33;
    value *= 0xc4ceb9fe1a85ec53ULL;
    return value ^ value >> 33;
}

static void digest(const struct world *world, uint64_t *ret_high, uint64_t *ret_low)
{
    uint8_t bytes[WORLD_PACKED_MAX + 8] = {0};
    size_t size = world_pack(world, bytes);
    uint64_t high = size;
    uint64_t low = 0x9e3779b97f4a7c15ULL;
    for (size_t i = 0; i < size; i += 8) {
        uint64_t word;
        memcpy(&word, bytes + i, 8);
        high = mix(high ^ word);
        low = mix(low + word * 0x9fb21c651e98df25ULL);
    }
    *ret_high = high;
    *ret_low = low;
}

static void memo_clear(struct memo *memo)
{
    if (memo->count > 0) {
        memset(memo->entries, 0, (memo->mask + 1) * sizeof *memo->entries);
    }
    memo->count = 0;
}

static struct memo_entry *memo_slot(const struct memo *memo, uint64_t high, uint64_t low)
{
    size_t at = (size_t)low & memo->mask;
    while (memo->entries[at].used &&
           (memo->entries[at].high != high || memo->entries[at].low != low)) {
        at = (at + 1) & memo->mask;
    }
    return &memo->entries[at];
}

static void memo_grow(struct memo *memo)
{
    struct memo old = *memo;
    size_t capacity = old.entries == NULL ? (size_t)1 << MEMO_BITS_MIN : (old.mask + 1) * 2;
    memo->entries = must(calloc(capacity, sizeof *memo->entries));
    memo->mask = capacity - 1;
    for (size_t i = 0; old.entries != NULL && i <= old.mask; i++) {
        if (old.entries[i].used) {
            *memo_slot(memo, old.entries[i].high, old.entries[i].low) = old.entries[i];
        }
    }
    free(old.entries);
}

/* Search. */

static void judge(struct search *search, const struct world *world, int depth)
{
    struct world end;
    size_t one_way = 0;
    world_copy(search->model, world, &end);
    search->counts.ends++;
    if (!world_check_end(search->model, &end, &one_way, &search->fault)) {
        search->broken_depth = depth;
        return;
    }
    search->counts.one_way += one_way;
    uint64_t *first = &search->end_digest[world->altinn3_visible ? 1 : 0];
    uint64_t digest_of_end = world_end_digest(search->model, &end);
    if (*first != 0 && *first != digest_of_end) {
        (void)snprintf(search->fault.text, sizeof search->fault.text,
                       "another order ends otherwise");
        search->broken_depth = depth;
    }
    *first = digest_of_end;
}

/* Tries all that can follow. Returns the number of runs, which is without meaning once something is
 * broken. */
static double explore(struct search *search, const struct world *world, int depth)
{
    uint64_t high;
    uint64_t low;
    digest(world, &high, &low);
    if (search->memo.entries == NULL || search->memo.count * 2 > search->memo.mask) {
        memo_grow(&search->memo);
    }
    const struct memo_entry *seen = memo_slot(&search->memo, high, low);
    if (seen->used && seen->depth <= depth) {
        return seen->runs;
    }
    search->counts.states++;
    double runs = 0;
    if (world_is_end(search->model, world)) {
        judge(search, world, depth);
        runs = 1;
    }
    struct world_step steps[WORLD_STEPS_MAX];
    size_t count = depth < search->depth_max ? world_steps(search->model, world, steps) : 0;
    for (size_t i = 0; i < count && search->broken_depth == 0; i++) {
        struct world next;
        world_copy(search->model, world, &next);
        search->path[depth] = steps[i];
        search->counts.steps++;
        if (!world_take(search->model, &next, steps[i], &search->fault)) {
            search->broken_depth = depth + 1;
        } else {
            runs += explore(search, &next, depth + 1);
        }
    }
    struct memo_entry *entry = memo_slot(&search->memo, high, low);
    search->memo.count += entry->used ? 0 : 1;
    *entry = (struct memo_entry){high, low, runs, (int16_t)depth, true};
    return runs;
}

/* One world: true when every run of it is good. */
static bool try_world(struct search *search, const struct world_model *model, int depth_max)
{
    struct world world;
    memo_clear(&search->memo);
    search->model = model;
    search->depth_max = depth_max;
    search->broken_depth = 0;
    search->end_digest[0] = search->end_digest[1] = 0;
    world_init(model, &world);
    search->counts.worlds++;
    search->counts.runs += explore(search, &world, 0);
    return search->broken_depth == 0;
}

/* Every start and echo of one set; stops at the first that is broken, which ret_model then holds.
 */
static bool try_set(struct search *search, const struct options *options, unsigned set,
                    enum world_plant plant, struct world_model *ret_model)
{
    int size = __builtin_popcount(set);
    int extra = options->set_max - size + options->duplicates_max;
    int echoes = world_has_call((uint16_t)set) ? WORLD_ECHOES : 1;
    for (int echo = 0; echo < echoes; echo++) {
        world_model_init(ret_model, (uint16_t)set, extra, (enum world_echo)echo);
        ret_model->plant = plant;
        for (int start = 0; start < WORLD_STARTS; start++) {
            ret_model->start = (enum world_start)start;
            bool wanted = start != WORLD_UNMAPPED || size <= options->adopted_set_max;
            if (wanted && !try_world(search, ret_model, DEPTH_MAX - 1)) {
                return false;
            }
        }
    }
    return true;
}

/* The shortest story of a broken set: the same search, with the depth let out step by step. */
static void tell(struct search *search, const struct options *options, unsigned set,
                 enum world_plant plant)
{
    static const char *const starts[] = {"hidden", "visible", "not migrated"};
    static const char *const echoes[] = {"none",          "exact", "a second later",
                                         "another party", "both",  "both, with origin"};
    struct world_model model;
    if (try_set(search, options, set, plant, &model)) {
        printf("  the set is good when it is tried alone: the enumerator is wrong\n");
        return;
    }
    int depth_max = 1;
    while (depth_max < DEPTH_MAX && try_world(search, &model, depth_max)) {
        depth_max++;
    }
    printf("  broken: %s\n  message %s, echo %s, changes:", search->fault.text, starts[model.start],
           echoes[model.echo]);
    for (int i = 0; i < WORLD_CHANGES; i++) {
        if ((set >> i & 1) != 0) {
            printf(" [%s]", world_change_name(i));
        }
    }
    printf("\n");
    struct world world;
    struct world_fault fault;
    world_init(&model, &world);
    for (int i = 0; i < search->broken_depth; i++) {
        char text[160];
        world_describe(search->path[i], text, sizeof text);
        fault.rule = "";
        bool good = world_take(&model, &world, search->path[i], &fault);
        printf("  %2d. %s%s%s%s\n", i + 1, text, fault.rule[0] != '\0' ? "  → " : "", fault.rule,
               good ? "" : "  ← here");
    }
}

/* Sizes and processes. */

static unsigned next_set(struct shared *shared, int size)
{
    for (;;) {
        unsigned set = atomic_fetch_add(&shared->next, 1);
        if (set >= 1U << WORLD_CHANGES) {
            return 0;
        }
        if (__builtin_popcount(set) == size) {
            return set;
        }
    }
}

static void work(struct shared *shared, const struct options *options, int size, int job)
{
    struct search search = {.model = NULL};
    struct world_model model;
    unsigned set = next_set(shared, size);
    while (set != 0 && atomic_load(&shared->broken_set) == 0) {
        if (!try_set(&search, options, set, WORLD_PLANT_NONE, &model)) {
            atomic_store(&shared->broken_set, set);
        }
        set = next_set(shared, size);
    }
    shared->counts[job] = search.counts;
    free(search.memo.entries);
}

static void run_size(struct shared *shared, const struct options *options, int size)
{
    pid_t children[JOBS_MAX];
    memset(shared, 0, sizeof *shared);
    fflush(stdout);
    for (int job = 0; job < options->jobs; job++) {
        children[job] = fork();
        if (children[job] == 0) {
            work(shared, options, size, job);
            _exit(0);
        }
        if (children[job] < 0) {
            fprintf(stderr, "enumerator: fork: %s\n", strerror(errno));
            exit(2);
        }
    }
    for (int job = 0; job < options->jobs; job++) {
        int status = 0;
        if (waitpid(children[job], &status, 0) < 0 || !WIFEXITED(status) ||
            WEXITSTATUS(status) != 0) {
            fprintf(stderr, "enumerator: a process of size %d ended with status %d\n", size,
                    status);
            exit(2);
        }
    }
}

static double seconds_since(const struct timespec *start)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - start->tv_sec) + (double)(now.tv_nsec - start->tv_nsec) / 1e9;
}

static void counts_add(struct counts *sum, const struct counts *part)
{
    sum->worlds += part->worlds;
    sum->states += part->states;
    sum->steps += part->steps;
    sum->ends += part->ends;
    sum->one_way += part->one_way;
    sum->runs += part->runs;
}

static void print_counts(const char *name, const struct counts *counts, double seconds)
{
    printf("%-8s %8llu %12llu %12llu %11llu %10.2e %8.1f\n", name,
           (unsigned long long)counts->worlds, (unsigned long long)counts->states,
           (unsigned long long)counts->steps, (unsigned long long)counts->ends, counts->runs,
           seconds);
}

static unsigned long long multisets_of(int size_max)
{
    unsigned long long sum = 0;
    unsigned long long of_size = 1;
    for (int size = 1; size <= size_max; size++) {
        of_size =
            of_size * (unsigned long long)(WORLD_CHANGES + size - 1) / (unsigned long long)size;
        sum += of_size;
    }
    return sum;
}

static int enumerate(const struct options *options)
{
    struct shared *shared =
        must(mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    struct counts sum = {0};
    struct timespec start;
    (void)clock_gettime(CLOCK_MONOTONIC, &start);
    printf("%-8s %8s %12s %12s %11s %10s %8s\n", "changes", "worlds", "states", "steps", "ends",
           "runs", "seconds");
    for (int size = 1; size <= options->set_max; size++) {
        struct counts counts = {0};
        struct timespec size_start;
        char name[16];
        (void)clock_gettime(CLOCK_MONOTONIC, &size_start);
        run_size(shared, options, size);
        for (int job = 0; job < options->jobs; job++) {
            counts_add(&counts, &shared->counts[job]);
        }
        (void)snprintf(name, sizeof name, "%d", size);
        print_counts(name, &counts, seconds_since(&size_start));
        counts_add(&sum, &counts);
        if (shared->broken_set != 0) {
            struct search search = {.model = NULL};
            tell(&search, options, shared->broken_set, WORLD_PLANT_NONE);
            printf("%llu passed, 1 failed\n", (unsigned long long)sum.worlds - 1);
            return 1;
        }
    }
    print_counts("sum", &sum, seconds_since(&start));
    printf("%llu multisets of up to %d changes, up to %d duplicates; ends equal in every order, "
           "drift 0, each effect once, hops at most 1, one-way %llu\n",
           multisets_of(options->set_max), options->set_max, options->duplicates_max,
           (unsigned long long)sum.one_way);
    printf("%llu passed, 0 failed\n", (unsigned long long)sum.worlds);
    return 0;
}

/* Each planted fault must be found, or the enumerator proves nothing. */
static int self_test(const struct options *options)
{
    int found = 0;
    for (int plant = 1; plant < WORLD_PLANTS; plant++) {
        struct search search = {.model = NULL};
        struct world_model model;
        unsigned broken = 0;
        for (int size = 1; size <= options->set_max && broken == 0; size++) {
            for (unsigned set = 1; set < 1U << WORLD_CHANGES && broken == 0; set++) {
                if (__builtin_popcount(set) == size &&
                    !try_set(&search, options, set, (enum world_plant)plant, &model)) {
                    broken = set;
                }
            }
        }
        printf("planted: %s: %s\n", world_plant_name((enum world_plant)plant),
               broken != 0 ? "found" : "NOT FOUND");
        if (broken != 0) {
            tell(&search, options, broken, (enum world_plant)plant);
            found++;
        }
        free(search.memo.entries);
    }
    printf("%d passed, %d failed\n", found, WORLD_PLANTS - 1 - found);
    return found == WORLD_PLANTS - 1 ? 0 : 1;
}

static int usage(void)
{
    fprintf(stderr, "usage: enumerator [--max-set 1-6] [--max-duplicates 0-4] [--max-adopted-set "
                    "0-6] [--jobs 1-16] "
                    "[--self-test]\n");
    return 2;
}

static bool read_number(const char *text, int min, int max, int *ret_number)
{
    char *end = NULL;
    long number = strtol(text, &end, 10);
    if (end == text || *end != '\0' || number < min || number > max) {
        return false;
    }
    *ret_number = (int)number;
    return true;
}

int main(int argc, char **argv)
{
    struct options options = {.set_max = 4, .duplicates_max = 2, .adopted_set_max = 2, .jobs = 2};
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        bool good = true;
        if (strcmp(argv[i], "--self-test") == 0) {
            options.self_test = true;
            continue;
        }
        if (strcmp(argv[i], "--max-set") == 0) {
            good = read_number(value, 1, 6, &options.set_max);
        } else if (strcmp(argv[i], "--max-duplicates") == 0) {
            good = read_number(value, 0, 4, &options.duplicates_max);
        } else if (strcmp(argv[i], "--max-adopted-set") == 0) {
            good = read_number(value, 0, 6, &options.adopted_set_max);
        } else if (strcmp(argv[i], "--jobs") == 0) {
            good = read_number(value, 1, JOBS_MAX, &options.jobs);
        } else {
            good = false;
        }
        if (!good) {
            return usage();
        }
        i++;
    }
    return options.self_test ? self_test(&options) : enumerate(&options);
}
