/* What the store of correspondence status must be allowed to, so that "doctor" can say what lacks.
 * The roles of examples/sql/grants.sql hold them: tests/integration/test_roles.py works with
 * nothing else. */
#include "correspondence_store.h"

const struct sync_right message_rights[] = {
    {"sync", "correspondence", NULL, "SELECT"},
    {"sync", "correspondence", NULL, "INSERT"},
    {"sync", "correspondence", NULL, "UPDATE"},
    {"sync", "correspondence_fact", NULL, "SELECT"},
    {"sync", "correspondence_fact", NULL, "INSERT"},
    {"sync", "correspondence_fact", NULL, "UPDATE"},
    {"correspondence", "Correspondences",
     "Id,Altinn2CorrespondenceId,PartyId,IsMigrating,IsConfirmationNeeded", "SELECT"},
    {"correspondence", "Correspondences", "Id", "UPDATE"}, /* asked for by a row lock */
    {"correspondence", "CorrespondenceContents", "xmin,Id,CorrespondenceId", "SELECT"},
    {"correspondence", "CorrespondenceStatuses",
     "xmin,Id,CorrespondenceId,Status,StatusChanged,PartyUuid,SyncedFromAltinn2", "SELECT"},
    {"correspondence", "CorrespondenceStatuses",
     "Id,CorrespondenceId,Status,StatusText,StatusChanged,PartyUuid,SyncedFromAltinn2", "INSERT"},
    {"correspondence", "CorrespondenceDeleteEvents",
     "xmin,Id,CorrespondenceId,EventType,EventOccurred,PartyUuid,SyncedFromAltinn2", "SELECT"},
    {"correspondence", "CorrespondenceDeleteEvents",
     "Id,CorrespondenceId,EventType,EventOccurred,PartyUuid,SyncedFromAltinn2", "INSERT"},
    {"correspondence", "IdempotencyKeys", "Id", "SELECT"},
    {"correspondence", "IdempotencyKeys",
     "Id,CorrespondenceId,AttachmentId,PartyUrn,StatusAction,IdempotencyType", "INSERT"},
    {"correspondence", "Attachments", "Id", "SELECT"},
    {"correspondence", "Attachments", "Id", "UPDATE"}, /* asked for by a row lock */
    {"correspondence", "CorrespondenceAttachments", "Id,CorrespondenceContentId,AttachmentId",
     "SELECT"},
    {"correspondence", "AttachmentStatuses", "Id,AttachmentId,Status", "SELECT"},
    {"correspondence", "AttachmentStatuses",
     "Id,AttachmentId,Status,StatusText,StatusChanged,PartyUuid", "INSERT"},
    {NULL, NULL, NULL, NULL},
};
