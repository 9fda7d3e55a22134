-- Keep the old spellings of model that the new contract cannot give back.
--
-- does:    copies them to trueup.model_reversal, so that a rollback restores them byte for byte
-- locks:   ACCESS SHARE on model, as any SELECT
-- cost:    reads model once, writes the rows that differ
-- undo:    drops the copy
-- depends: 0501_contract_model_close 0502_contract_request_close

CALL trueup.fix_transaction();

CREATE TABLE trueup.model_reversal AS
SELECT id__old, id, provider__old, provider, capabilities__old, capabilities, status__old, status
FROM public.model
WHERE
    id__old IS DISTINCT FROM id::text
    OR provider__old IS DISTINCT FROM lower(provider COLLATE "C")
    OR capabilities__old IS DISTINCT FROM lower(capabilities::text COLLATE "C")::varchar[]
    OR status__old IS DISTINCT FROM lower(status COLLATE "C");
CALL trueup.keep_spellings('trueup.model_reversal', 'public.model');

ALTER TABLE trueup.model_reversal ADD PRIMARY KEY (id);
