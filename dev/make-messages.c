/*
 * Writes the population of demo and tests as the file that "altinn-sync load" reads
 * (docs/load-format.md). The same numbers give the same bytes. Not here: who acts on it (the
 * simulators).
 */
#include "population.h"

#include <runtime/json.h>
#include <runtime/time_text.h>
#include <stdlib.h>

#define CREATED_FIRST_US 1577836800000000LL /* 2020-01-01: one message a minute from there */

static const char *const help =
    "Usage: dev-make-messages [--parties] [--messages FIRST-LAST] [--hidden FIRST-LAST]\n"
    "\n"
    "  --parties              also the parties who act, first\n"
    "  --messages FIRST-LAST  messages by their Altinn 2 numbers\n"
    "  --hidden FIRST-LAST    which of them Altinn 3 does not show yet\n";

static int put_line(struct sync_json_writer *writer)
{
    sync_json_close(writer, '}');
    char *line = sync_json_writer_take(writer);
    int result = line ? puts(line) : EOF;
    free(line);
    return result;
}

static void put_uuid(struct sync_json_writer *writer, const char *name, struct sync_uuid id)
{
    char text[SYNC_UUID_BUFFER];
    sync_uuid_format(&id, text);
    sync_json_put_text(writer, name, text);
}

static int put_party(int32_t number)
{
    struct sync_json_writer writer;
    sync_json_writer_init(&writer);
    sync_json_open(&writer, NULL, '{');
    sync_json_put_text(&writer, "type", "party");
    put_uuid(&writer, "uuid", population_party(number));
    sync_json_put_integer(&writer, "altinn2PartyId", number);
    return put_line(&writer);
}

static void put_content(struct sync_json_writer *writer, int32_t id, const char *created)
{
    char text[64];
    snprintf(text, sizeof text, "DEMO-%d", (int)id);
    sync_json_put_text(writer, "resourceId", "ttd-migratedcorrespondence-4242-1");
    sync_json_put_text(writer, "sender", "urn:altinn:organization:identifier-no:991825827");
    sync_json_put_text(writer, "sendersReference", text);
    sync_json_put_text(writer, "created", created);
    sync_json_put_text(writer, "language", "nb");
    snprintf(text, sizeof text, "Melding %d", (int)id);
    sync_json_put_text(writer, "title", text);
    sync_json_put_text(writer, "body", "Hei.");
}

static int put_message(int32_t id, bool hidden)
{
    struct sync_json_writer writer;
    char recipient[64], created[SYNC_TIME_BUFFER];
    int32_t party = population_recipient(id);
    snprintf(recipient, sizeof recipient, "urn:altinn:organization:identifier-no:3%08d",
             (int)party);
    sync_time_format(CREATED_FIRST_US + (int64_t)(id % 2000000) * 60000000, 0, created);
    sync_json_writer_init(&writer);
    sync_json_open(&writer, NULL, '{');
    sync_json_put_text(&writer, "type", "message");
    sync_json_put_integer(&writer, "altinn2Id", id);
    put_uuid(&writer, "altinn3Id", population_message(id));
    sync_json_put_integer(&writer, "altinn2PartyId", party);
    sync_json_put_text(&writer, "recipient", recipient);
    put_content(&writer, id, created);
    sync_json_put_bool(&writer, "hidden", hidden);
    sync_json_put_bool(&writer, "confirmationNeeded", id % 3 == 0);
    sync_json_open(&writer, "statuses", '[');
    sync_json_open(&writer, NULL, '{');
    sync_json_put_integer(&writer, "status", 2);
    sync_json_put_text(&writer, "at", created);
    sync_json_close(&writer, '}');
    sync_json_close(&writer, ']');
    return put_line(&writer);
}

/* What is asked for. */
struct wish {
    bool parties;
    struct population_range messages, hidden; /* first 0 = none */
};

static int wrong_usage(const char *word)
{
    fprintf(stderr, "dev-make-messages: %s is not understood; see --help\n", word);
    return 2;
}

static int read_options(int argc, char **argv, struct wish *ret_wish)
{
    for (int i = 1; i < argc; i++) {
        struct population_range *range = strcmp(argv[i], "--messages") == 0 ? &ret_wish->messages
                                         : strcmp(argv[i], "--hidden") == 0 ? &ret_wish->hidden
                                                                            : NULL;
        if (strcmp(argv[i], "--help") == 0) {
            fputs(help, stdout);
            exit(0);
        }
        if (strcmp(argv[i], "--parties") == 0) {
            ret_wish->parties = true;
        } else if (!range) {
            return wrong_usage(argv[i]);
        } else if (i + 1 == argc || !population_range_parse(argv[i + 1], range)) {
            return wrong_usage(i + 1 == argc ? argv[i] : argv[i + 1]);
        } else {
            i++;
        }
    }
    return ret_wish->parties || ret_wish->messages.first > 0 ? 0 : wrong_usage("an empty wish");
}

int main(int argc, char **argv)
{
    struct wish wish = {.parties = false};
    int code = read_options(argc, argv, &wish);
    if (code != 0) {
        return code;
    }
    bool failed = false;
    for (int32_t i = 0; wish.parties && i < POPULATION_PARTY_COUNT && !failed; i++) {
        failed = put_party(POPULATION_PARTY_FIRST + i) == EOF;
    }
    for (int32_t id = wish.messages.first;
         wish.messages.first > 0 && id <= wish.messages.last && !failed; id++) {
        failed = put_message(id, id >= wish.hidden.first && id <= wish.hidden.last) == EOF;
    }
    if (failed || fflush(stdout) != 0) {
        fputs("dev-make-messages: write to standard output: not everything was written\n", stderr);
        return 1;
    }
    return 0;
}
