-- Rollback: fill the old columns of model.
--
-- does:    fills the old columns in batches, and comes back to rows that clients hold; can be stopped and run again
-- locks:   the rows of one batch for some ms, waits for none; at the end SHARE UPDATE EXCLUSIVE, for which it waits 5 s
--          at most: reads and writes go on
-- cost:    writes each row of model once, in eight passes over each 10 MB, and reads it twice more; it grows until
--          VACUUM

CALL trueup.fill_rows(
    '0516_contract_model_fill', 'public.model',
    unfilled => 'id__old IS NULL',
    fill => $$
    UPDATE public.model AS t
    SET
        id__old = coalesce((SELECT r.id__old FROM trueup.model_reversal AS r WHERE r.id = t.id), t.id::text),
        provider__old = coalesce(
            (SELECT r.provider__old FROM trueup.model_reversal AS r WHERE r.id = t.id AND r.provider = t.provider),
            lower(t.provider COLLATE "C")
        ),
        capabilities__old = coalesce(
            (SELECT r.capabilities__old FROM trueup.model_reversal AS r WHERE r.id = t.id AND r.capabilities = t.capabilities),
            lower(t.capabilities::text COLLATE "C")::varchar[]
        ),
        status__old = coalesce(
            (SELECT r.status__old FROM trueup.model_reversal AS r WHERE r.id = t.id AND r.status = t.status),
            lower(t.status COLLATE "C")
        )
    WHERE ctid = ANY ($1)
    $$,
    proof => $$ALTER TABLE public.model VALIDATE CONSTRAINT model_filled$$,
    statistics => $$ANALYZE public.model (id__old, provider__old, capabilities__old, status__old)$$
);
