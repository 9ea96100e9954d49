/* Finds what somebody meant to type. Pure. */
#ifndef SYNC_RUNTIME_SUGGEST_H
#define SYNC_RUNTIME_SUGGEST_H
#include <stddef.h>

/* The nearest of count candidates, NULL when none is near enough to be meant. Owns: nothing. */
const char *sync_suggest(const char *word, const char *const *candidates, size_t count);
#endif
