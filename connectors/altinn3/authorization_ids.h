/*
 * Well-known ids in the database of Altinn 3 authorization: data of the platform, equal everywhere.
 * Texts, because they are compared with what statements return and are put into statements.
 * Not here: roles of Altinn 2 (data/a2-roles.csv), packages (data/role-packages.csv).
 */
#ifndef CONNECTORS_ALTINN3_AUTHORIZATION_IDS_H
#define CONNECTORS_ALTINN3_AUTHORIZATION_IDS_H

/* Container roles of what we write: dbo.role. */
#define AUTHORIZATION_ROLE_RIGHTHOLDER                "42cae370-2dc1-4fdc-9c67-c2f4b0f0f829"
#define AUTHORIZATION_ROLE_APP_CONTROLLED_RIGHTHOLDER "aefe8391-3f21-4641-8d96-06ba04c67cfd"
#define AUTHORIZATION_ROLE_SUPPLIER                   "961f6ebb-ecf7-4fc6-ab5a-ca0841db4931"
#define AUTHORIZATION_ROLE_AGENT                      "ff4c33f5-03f7-4445-85ed-1e60b8aafb30"

/* dbo.instancesourcetype: who gave a right to an instance. */
#define AUTHORIZATION_INSTANCE_BY_USER "019cd6c4-a340-7f7a-94af-f1181ec4a132"
#define AUTHORIZATION_INSTANCE_BY_APP  "019cd6c4-a340-776e-a63a-2370a05db6c7"

/* dbo.provider: the roles of Altinn 2 are those of the first. */
#define AUTHORIZATION_PROVIDER_ALTINN2 "0195ea92-2080-777d-8626-69c91ea2a05d"
#define AUTHORIZATION_PROVIDER_ALTINN3 "0195ea92-2080-7e7c-bbe3-bb0521c1e51a"

/* dbo.entitytype. */
#define AUTHORIZATION_TYPE_ORGANISATION    "8c216e2f-afdd-4234-9ba2-691c727bb33d"
#define AUTHORIZATION_TYPE_PERSON          "bfe09e70-e868-44b3-8d81-dfe0e13e058a"
#define AUTHORIZATION_TYPE_SELF_IDENTIFIED "fef80481-a798-4407-9e28-8fd167824434"
#define AUTHORIZATION_TYPE_ENTERPRISE_USER "870be6c4-b68f-4918-b897-12cdeae246de"
#define AUTHORIZATION_TYPE_SYSTEM_USER     "fe643898-2f47-4080-85e3-86bf6fe39630"

/* Systems that write: audit_changedbysystem. A person who acts through one of these is a person. */
#define AUTHORIZATION_SYSTEM_END_USER_API      "ed771364-42a8-4934-801e-b482ed20ec3e"
#define AUTHORIZATION_SYSTEM_LEGACY_RIGHTS_API "b1b52707-bd24-4f01-9bb9-3b0b6d6bd8d6"
#define AUTHORIZATION_SYSTEM_LEGACY_SCHEMA_API "cfd2991c-bbdf-43b5-8b10-1ba1dfaed167"
#define AUTHORIZATION_SYSTEM_APP_INSTANCE_API  "81435d97-8527-4246-a475-ce281a898fa0"
/* Copies of Altinn 3's own log: machines. */
#define AUTHORIZATION_SYSTEM_SINGLE_RIGHT_IMPORT   "f1be3999-68f6-4757-92b4-d3f3d33345e1"
#define AUTHORIZATION_SYSTEM_INSTANCE_RIGHT_IMPORT "07ab1b35-0299-4667-9dde-4c3f75d9bbeb"
/* What came from Altinn 2 before us: sync identities, as ours is. */
#define AUTHORIZATION_SYSTEM_A2_ROLE_IMPORT     "46cfa478-971f-446e-9bc1-af57469361d0"
#define AUTHORIZATION_SYSTEM_A2_ADD_RULES_API   "0d8c172d-64e4-4aa2-8233-91ad32aa0f9d"
#define AUTHORIZATION_SYSTEM_A2_INSTANCE_IMPORT "ad63e2cc-e49d-435c-8e50-16589908e79b"

/* audit_changedbysystem of what we write, unless authorization.identity says otherwise. */
#define AUTHORIZATION_IDENTITY "6d3f8a52-1c07-5b7e-9a41-0e2f4c8b7d10"

#endif
