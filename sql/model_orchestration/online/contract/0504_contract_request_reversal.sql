-- Keep the old spellings of request that the new contract cannot give back.
--
-- does:    copies them to trueup.request_reversal, so that a rollback restores them byte for byte
-- locks:   ACCESS SHARE on request, as any SELECT
-- cost:    reads request once, writes the rows that differ
-- undo:    drops the copy
-- depends: 0501_contract_model_close 0502_contract_request_close

CALL trueup.fix_transaction();

CREATE TABLE trueup.request_reversal AS
SELECT id__old, id, request_type__old, request_type, provider__old, provider
FROM public.request
WHERE
    id__old IS DISTINCT FROM id::text
    OR request_type__old IS DISTINCT FROM lower(request_type COLLATE "C")
    OR provider__old IS DISTINCT FROM lower(provider COLLATE "C");
CALL trueup.keep_spellings('trueup.request_reversal', 'public.request');

ALTER TABLE trueup.request_reversal ADD PRIMARY KEY (id);
