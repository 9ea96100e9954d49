/*
 * Builds errors. Their texts are well-formed UTF-8, whatever a server or a library said and
 * wherever they were cut: some are stored, and PostgreSQL takes no other. Not here: deciding what a
 * failure means, logging it.
 */
#include <altinn_sync/status.h>

#include "utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 5, 0))) static sync_status
fill(struct sync_error *err, enum sync_class class, enum sync_code code, const char *field,
     const char *format, va_list args)
{
    SYNC_ASSERT(class != SYNC_CLASS_OK);
    SYNC_ASSERT(format != NULL);
    if (err != NULL) {
        err->class = class;
        err->code = code;
        (void)snprintf(err->field, sizeof err->field, "%s", field);
        (void)vsnprintf(err->text, sizeof err->text, format, args);
        sync_utf8_mend(err->field);
        sync_utf8_mend(err->text);
    }
    return (sync_status){class};
}

sync_status sync_fail(struct sync_error *err, enum sync_class class, enum sync_code code,
                      const char *format, ...)
{
    va_list args;
    va_start(args, format);
    sync_status status = fill(err, class, code, "", format, args);
    va_end(args);
    return status;
}

sync_status sync_fail_field(struct sync_error *err, enum sync_class class, enum sync_code code,
                            const char *field, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    sync_status status = fill(err, class, code, field, format, args);
    va_end(args);
    return status;
}

sync_status sync_wrap(struct sync_error *err, const char *format, ...)
{
    SYNC_ASSERT(err != NULL);
    SYNC_ASSERT(err->class != SYNC_CLASS_OK);
    char inner[sizeof err->text];
    memcpy(inner, err->text, sizeof inner);
    va_list args;
    va_start(args, format);
    int used = vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    if (used >= 0 && (size_t)used + 3 < sizeof err->text) {
        int room = (int)sizeof err->text - used - 3;
        (void)snprintf(err->text + used, sizeof err->text - (size_t)used, ": %.*s", room, inner);
    }
    sync_utf8_mend(err->text);
    return (sync_status){err->class};
}

const char *sync_code_word(enum sync_code code)
{
#define SYNC_CODE_WORD(symbol, word) [symbol] = word,
    static const char *const words[SYNC_CODE_COUNT] = {SYNC_CODES(SYNC_CODE_WORD)};
#undef SYNC_CODE_WORD
    SYNC_ASSERT(code < SYNC_CODE_COUNT);
    SYNC_ASSERT(words[code] != NULL);
    return words[code];
}
