/*
 * UTF-8 checks. Not here: conversion, case, normal forms.
 */
#ifndef SYNC_CORE_UTF8_H
#define SYNC_CORE_UTF8_H

#include <altinn_sync/types.h>

/*
 * Bytes of the one well-formed sequence at the start of the text: 1 to 4; 0 when it is ill-formed
 * or the text is empty. Overlong forms, surrogates and values above U+10FFFF are ill-formed. Owns:
 * nothing.  Blocks: no.  Fails: never.
 */
size_t sync_utf8_sequence(struct sync_bytes text);

/*
 * Whether the text is well-formed and has no NUL, which neither C nor PostgreSQL can hold.
 * Owns: nothing.  Blocks: no.  Fails: never.
 */
bool sync_utf8_is_text(struct sync_bytes text);

/*
 * Makes a text well-formed in its place: each byte that belongs to no well-formed sequence becomes
 * a question mark. Owns: nothing.  Blocks: no.  Fails: never.
 */
void sync_utf8_mend(char *text);

#endif
