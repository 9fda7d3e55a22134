-- Undo: Before the old columns of provider_quota go: on the way back they are filled here.
--
-- does:    fills the old columns in batches, and comes back to rows that clients hold; can be stopped and run again
-- locks:   the rows of one batch for some ms, waits for none; at the end SHARE UPDATE EXCLUSIVE, for which it waits 5 s
--          at most: reads and writes go on
-- cost:    writes each row of provider_quota once, in eight passes over each 10 MB, and reads it twice more; it grows
--          until VACUUM

CALL trueup.fill_rows(
    '0525_contract_provider_quota_fill', 'public.provider_quota',
    unfilled => 'id__old IS NULL', unchanged => 'id',
    fill => $$
    UPDATE public.provider_quota AS t
    SET (id__old, provider__old) = (
        SELECT
            coalesce(r.id__old, t.id::text),
            CASE WHEN r.provider = t.provider
                THEN r.provider__old ELSE lower(t.provider COLLATE "C") END
        FROM (VALUES (true)) AS one
        LEFT JOIN trueup.provider_quota_reversal AS r ON r.id = t.id
    )
    WHERE ctid = ANY ($1)
    $$,
    proof => $$ALTER TABLE public.provider_quota VALIDATE CONSTRAINT provider_quota_filled$$,
    statistics => $$ANALYZE public.provider_quota (id__old, provider__old)$$
);
