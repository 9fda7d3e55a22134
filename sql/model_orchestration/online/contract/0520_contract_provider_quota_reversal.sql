-- Keep the old spellings of provider_quota that the new contract cannot give back.
--
-- does:    copies them to trueup.provider_quota_reversal, so that a rollback restores them byte for byte
-- locks:   ACCESS SHARE on provider_quota, as any SELECT
-- cost:    reads provider_quota once, writes the rows that differ
-- undo:    drops the copy
-- depends: 0519_contract_provider_quota_close

CALL trueup.fix_transaction();

CREATE TABLE trueup.provider_quota_reversal AS
SELECT id__old, id, provider__old, provider
FROM public.provider_quota
WHERE
    id__old IS DISTINCT FROM id::text
    OR provider__old IS DISTINCT FROM lower(provider COLLATE "C");
CALL trueup.keep_spellings('trueup.provider_quota_reversal', 'public.provider_quota');

ALTER TABLE trueup.provider_quota_reversal ADD PRIMARY KEY (id);
