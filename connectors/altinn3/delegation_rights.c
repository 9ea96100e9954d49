/* What the store of delegations must be allowed to, so that "doctor" can say what lacks. The
 * roles of examples/sql/authorization-grants.sql hold them:
 * tests/integration/test_delegation_roles.py works with nothing else. */
#include "delegation_store.h"

#define READ_WRITE(table)                                                                          \
    {"sync", table, NULL, "SELECT"}, {"sync", table, NULL, "INSERT"},                              \
    {                                                                                              \
        "sync", table, NULL, "UPDATE"                                                              \
    }
#define STAMPED(table)                                                                             \
    {"dbo", table, NULL, "SELECT"}, {"dbo", table, NULL, "INSERT"},                                \
        {"dbo", table, NULL, "UPDATE"},                                                            \
    {                                                                                              \
        "dbo", table, NULL, "DELETE"                                                               \
    }

const struct sync_right deleg_rights[] = {
    READ_WRITE("deleg_key"),
    READ_WRITE("deleg_ref"),
    {"sync", "deleg_ref", NULL, "DELETE"}, /* of a merged key */
    READ_WRITE("deleg_mark"),
    {"sync", "deleg_mark", NULL, "DELETE"},
    READ_WRITE("sys_scope"),
    READ_WRITE("alias"),
    {"sync", "resource_state", NULL, "SELECT"},
    {"sync", "resource_state", NULL, "UPDATE"},
    {"sync", "policy_document", NULL, "SELECT"},
    {"sync", "policy_document", NULL, "INSERT"},
    READ_WRITE("snapshot"),
    READ_WRITE("stream_pos"),
    {"sync", "pending", NULL, "SELECT"},
    {"sync", "pending", NULL, "INSERT"},
    {"sync", "pending", NULL, "DELETE"},
    {"sync", "grant_after_freeze", NULL, "SELECT"},
    {"sync", "grant_after_freeze", NULL, "INSERT"},
    {"sync", "history", NULL, "SELECT"},
    {"sync", "history", NULL, "INSERT"},
    {"sync", "seen", NULL, "SELECT"},
    {"sync", "seen", NULL, "INSERT"},
    {"sync", "session_audit_context", NULL, "SELECT"},
    STAMPED("assignment"),
    STAMPED("assignmentresource"),
    STAMPED("assignmentinstance"),
    STAMPED("assignmentpackage"),
    STAMPED("delegation"),
    STAMPED("delegationpackage"),
    {"dbo", "delegationresource", NULL, "SELECT"},
    {"dbo", "entity", NULL, "SELECT"},
    {"dbo", "resource", NULL, "SELECT"},
    {"dbo", "resourcetype", NULL, "SELECT"},
    {"dbo", "role", NULL, "SELECT"},
    {"dbo", "package", NULL, "SELECT"},
    {"dbo", "rolepackage", NULL, "SELECT"},
    {"dbo_history", "auditassignment", NULL, "INSERT"},
    {"dbo_history", "auditassignmentresource", NULL, "INSERT"},
    {"dbo_history", "auditassignmentinstance", NULL, "INSERT"},
    {"dbo_history", "auditassignmentpackage", NULL, "INSERT"},
    {"dbo_history", "auditdelegation", NULL, "INSERT"},
    {"dbo_history", "auditdelegationpackage", NULL, "INSERT"},
    {NULL, NULL, NULL, NULL},
};
