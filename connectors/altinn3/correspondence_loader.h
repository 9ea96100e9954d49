/* What the two files of the correspondence loader share: a line in our own form. */
#ifndef SYNC_ALTINN3_CORRESPONDENCE_LOADER_H
#define SYNC_ALTINN3_CORRESPONDENCE_LOADER_H
#include "../../src/runtime/loader.h"

#define LOAD_ABSENT INT64_MIN /* a time that is not given */

struct load_party {
    struct sync_uuid uuid;
    int32_t altinn2_party_id;
};

/* A status or a delete event. */
struct load_act {
    int32_t kind;
    int64_t at_us;
    struct sync_uuid party;
};

struct load_attachment {
    struct sync_uuid id;
    struct sync_bytes altinn2_attachment_id, file_name, display_name, checksum, data_location_url;
    struct sync_bytes senders_reference;
    int64_t size;
    bool encrypted;
};

struct load_reply_option {
    struct sync_bytes url, text;
};

struct load_message {
    int32_t altinn2_id;
    struct sync_uuid altinn3_id;
    int32_t altinn2_party_id;
    struct sync_bytes resource_id, recipient, recipient_type, sender, owner, message_sender,
        senders_reference;
    int64_t created_us, requested_publish_us, published_us, due_us;
    bool hidden, confirmation_needed, confidential;
    bool has_ignore_reservation, ignore_reservation;
    struct sync_bytes properties; /* in the text form of hstore */
    struct sync_bytes language, title, summary, body;
    bool has_dialog;
    struct sync_uuid dialog_id;
    struct load_reply_option *reply_options;
    size_t reply_option_count;
    struct load_attachment *attachments;
    size_t attachment_count;
    struct load_act *statuses, *delete_events;
    size_t status_count, delete_event_count;
};

/* One line: either of the two. */
struct load_item {
    bool is_party;
    union {
        struct load_party party;
        struct load_message message;
    };
};

/* Optional texts have data NULL. See sync_loader.parse. */
sync_status correspondence_load_parse(struct sync_bytes text, struct sync_arena *arena,
                                      void **ret_item, struct sync_error *err);
/* See sync_loader.write. */
sync_status correspondence_load_write(struct sync_db *db, struct sync_load_line *lines,
                                      size_t count, struct sync_arena *arena,
                                      struct sync_error *err);
#endif
