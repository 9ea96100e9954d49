/*
 * Words of numbers that are stored, one for each: what the tables, the metrics and the screens say
 * is the same. All are static text; nothing blocks or fails.
 */
#ifndef SYNC_RUNTIME_WORDS_H
#define SYNC_RUNTIME_WORDS_H
#include <altinn_sync/processor.h>

/* "applied" … "parked". */
const char *sync_outcome_word(enum sync_outcome outcome);

/* State of a target as sync.target holds it: "open", "stopped", "closed"; another number is open,
 * as a missing row is. */
const char *sync_target_word(int state);
#endif
