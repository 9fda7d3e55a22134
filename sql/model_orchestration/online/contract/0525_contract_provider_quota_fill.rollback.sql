-- Rollback: fill the old columns of provider_quota.
--
-- does:    fills the old columns in batches, and comes back to rows that clients hold; can be stopped and run again
-- locks:   the rows of one batch for some ms, waits for none; at the end SHARE UPDATE EXCLUSIVE, for which it waits 5 s
--          at most: reads and writes go on
-- cost:    writes each row of provider_quota once, in eight passes over each 10 MB, and reads it twice more; it grows
--          until VACUUM

CALL trueup.fill_rows(
    '0525_contract_provider_quota_fill', 'public.provider_quota',
    unfilled => 'id__old IS NULL',
    fill => $$
    UPDATE public.provider_quota AS t
    SET
        id__old = coalesce((SELECT r.id__old FROM trueup.provider_quota_reversal AS r WHERE r.id = t.id), t.id::text),
        provider__old = coalesce(
            (SELECT r.provider__old FROM trueup.provider_quota_reversal AS r WHERE r.id = t.id AND r.provider = t.provider),
            lower(t.provider COLLATE "C")
        )
    WHERE ctid = ANY ($1)
    $$,
    proof => $$ALTER TABLE public.provider_quota VALIDATE CONSTRAINT provider_quota_filled$$,
    statistics => $$ANALYZE public.provider_quota (id__old, provider__old)$$
);
