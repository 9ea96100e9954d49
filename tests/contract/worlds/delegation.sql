-- Three parties for the battery with their numbers in Altinn 2, three resources, two packages and three roles; nobody has any edge.
-- Keys of Altinn 3 hang together only as far as our statements look: the rest is left out.
BEGIN;
SET LOCAL session_replication_role = replica;
DO $$ DECLARE t regclass; BEGIN
    FOR t IN SELECT c.oid FROM pg_class c
              WHERE c.relnamespace IN ('dbo'::regnamespace, 'dbo_history'::regnamespace) AND c.relkind = 'r' LOOP
        EXECUTE format('DELETE FROM %s', t);
    END LOOP;
END $$;
INSERT INTO dbo.entitytype (id, providerid, name, audit_validfrom)
VALUES ('8c216e2f-afdd-4234-9ba2-691c727bb33d', '0195ea92-2080-7e7c-bbe3-bb0521c1e51a', 'Organisasjon', '2025-01-01'),
       ('bfe09e70-e868-44b3-8d81-dfe0e13e058a', '0195ea92-2080-7e7c-bbe3-bb0521c1e51a', 'Person', '2025-01-01');
INSERT INTO dbo.entity (id, typeid, variantid, name, refid, partyid, userid, audit_validfrom)
SELECT id, type, '00000000-0000-7000-8000-0000000000a1', 'x', id::text, party, login, '2025-01-01'
  FROM (VALUES ('01000000-0000-0000-0000-000000000000'::uuid, '8c216e2f-afdd-4234-9ba2-691c727bb33d'::uuid, 1, NULL::int),
               ('02000000-0000-0000-0000-000000000000', 'bfe09e70-e868-44b3-8d81-dfe0e13e058a', 2, 12),
               ('03000000-0000-0000-0000-000000000000', '8c216e2f-afdd-4234-9ba2-691c727bb33d', 3, NULL),
               ('6d3f8a52-1c07-5b7e-9a41-0e2f4c8b7d10', '8c216e2f-afdd-4234-9ba2-691c727bb33d', NULL, NULL)) AS p (id, type, party, login);
INSERT INTO dbo.role (id, providerid, code, name, urn, description, audit_validfrom)
SELECT id, provider, code, code, 'urn:altinn:rolecode:' || code, '', '2025-01-01'
  FROM (VALUES ('42cae370-2dc1-4fdc-9c67-c2f4b0f0f829'::uuid, '0195ea92-2080-7e7c-bbe3-bb0521c1e51a'::uuid, 'rettighetshaver'),
               ('aefe8391-3f21-4641-8d96-06ba04c67cfd', '0195ea92-2080-7e7c-bbe3-bb0521c1e51a', 'appstyrt-rettighetshaver'),
               ('961f6ebb-ecf7-4fc6-ab5a-ca0841db4931', '0195ea92-2080-7e7c-bbe3-bb0521c1e51a', 'supplier'),
               ('ff4c33f5-03f7-4445-85ed-1e60b8aafb30', '0195ea92-2080-7e7c-bbe3-bb0521c1e51a', 'agent'),
               ('00000000-0000-7000-8000-0000000000d1', '0195ea92-2080-777d-8626-69c91ea2a05d', 'hadm'),
               ('00000000-0000-7000-8000-0000000000d2', '0195ea92-2080-777d-8626-69c91ea2a05d', 'a0239'),
               ('00000000-0000-7000-8000-0000000000d3', '0195ea92-2080-777d-8626-69c91ea2a05d', 'utinn')) AS r (id, provider, code);
INSERT INTO dbo.package (id, providerid, entitytypeid, areaid, urn, code, name, hasresources, audit_validfrom)
SELECT id, '0195ea92-2080-7e7c-bbe3-bb0521c1e51a', '8c216e2f-afdd-4234-9ba2-691c727bb33d', '00000000-0000-7000-8000-0000000000b2',
       'urn:altinn:accesspackage:' || code, code, code, false, '2025-01-01'
  FROM (VALUES ('00000000-0000-7000-8000-0000000000e1'::uuid, 'hovedadministrator'),
               ('955d5779-3e2b-4098-b11d-0431dc41ddbe', 'regnskapsforer-med-signeringsrettighet')) AS p (id, code);
INSERT INTO dbo.resourcetype (id, name, audit_validfrom)
SELECT md5(t)::uuid, t, '2025-01-01' FROM unnest(ARRAY['CorrespondenceService', 'AltinnApp', 'MaskinportenSchema']) AS t;
INSERT INTO dbo.resource (id, typeid, providerid, refid, name, description, audit_validfrom)
SELECT md5(id)::uuid, md5(type)::uuid, '0195ea92-2080-7e7c-bbe3-bb0521c1e51a', id, id, '', '2025-01-01'
  FROM (VALUES ('messages', 'CorrespondenceService'), ('app_ttd_form', 'AltinnApp'), ('schema', 'MaskinportenSchema')) AS r (id, type);
INSERT INTO sync.resource_state (resource, type, service_code, edition, actions, phase)
VALUES ('messages', 'CorrespondenceService', '5190', 2, '{read,write,sign,subscribe}', 2),
       ('app_ttd_form', 'AltinnApp', '5191', 1, '{read,write,sign}', 2),
       ('schema', 'MaskinportenSchema', NULL, NULL, '{read,write}', 2);
COMMIT;
