-- Twelve messages in Altinn 3 for the battery: odd ids are hidden, even ones visible; 13 to 15 are not copied yet.
TRUNCATE correspondence."Correspondences" CASCADE;
INSERT INTO correspondence."Correspondences" ("Id", "Altinn2CorrespondenceId", "ResourceId", "Recipient", "Sender",
        "SendersReference", "PartyId", "Created", "RequestedPublishTime", "IsMigrating", "IsConfirmationNeeded", "PropertyList")
    SELECT ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, n, 'r', 'urn:x:1', 's', 'ref', 50001, now(), now(),
           n % 2 = 1, true, ''
      FROM generate_series(1, 12) AS n;
INSERT INTO correspondence."CorrespondenceContents"
    SELECT gen_random_uuid(), "Id", 'nb', 't', '', '' FROM correspondence."Correspondences";
