-- The publication from which "capture altinn3-delegation" reads. Run once, in the Altinn 3 authorization database, by
-- the OWNER of the tables: nobody else may publish them (42501). Then: altinn-sync capture init altinn3-delegation
--
-- Inserts and updates. What was deleted, and by whom, stands in the row that Altinn 3's own triggers put into history;
-- a decoded deletion would carry an id and nothing else. All tables have a primary key, so that the application may
-- update them as before. dbo.delegationresource is not among them: nothing of ours depends on it.
CREATE PUBLICATION altinn_sync_delegation FOR TABLE
    dbo.assignment
        (id, fromid, toid, roleid,
         audit_changedby, audit_changedbysystem, audit_changeoperation, audit_validfrom),
    dbo.assignmentresource
        (id, assignmentid, resourceid, policypath, policyversion,
         audit_changedby, audit_changedbysystem, audit_changeoperation, audit_validfrom),
    dbo.assignmentinstance
        (id, assignmentid, resourceid, instanceid, policypath, policyversion,
         audit_changedby, audit_changedbysystem, audit_changeoperation, audit_validfrom),
    dbo.assignmentpackage
        (id, assignmentid, packageid,
         audit_changedby, audit_changedbysystem, audit_changeoperation, audit_validfrom),
    dbo.delegation
        (id, fromid, toid, facilitatorid,
         audit_changedby, audit_changedbysystem, audit_changeoperation, audit_validfrom),
    dbo.delegationpackage
        (id, delegationid, packageid,
         audit_changedby, audit_changedbysystem, audit_changeoperation, audit_validfrom),
    dbo_history.auditassignment
        (id, fromid, toid, roleid,
         audit_changedby, audit_changedbysystem, audit_changeoperation, audit_validfrom,
         audit_validto, audit_deletedby, audit_deletedbysystem, audit_deleteoperation),
    dbo_history.auditassignmentresource
        (id, assignmentid, resourceid, policypath, policyversion,
         audit_changedby, audit_changedbysystem, audit_changeoperation, audit_validfrom,
         audit_validto, audit_deletedby, audit_deletedbysystem, audit_deleteoperation),
    dbo_history.auditassignmentinstance
        (id, assignmentid, resourceid, instanceid, policypath, policyversion,
         audit_changedby, audit_changedbysystem, audit_changeoperation, audit_validfrom,
         audit_validto, audit_deletedby, audit_deletedbysystem, audit_deleteoperation),
    dbo_history.auditassignmentpackage
        (id, assignmentid, packageid,
         audit_changedby, audit_changedbysystem, audit_changeoperation, audit_validfrom,
         audit_validto, audit_deletedby, audit_deletedbysystem, audit_deleteoperation),
    dbo_history.auditdelegationpackage
        (id, delegationid, packageid,
         audit_changedby, audit_changedbysystem, audit_changeoperation, audit_validfrom,
         audit_validto, audit_deletedby, audit_deletedbysystem, audit_deleteoperation)
    WITH (publish = 'insert, update');
