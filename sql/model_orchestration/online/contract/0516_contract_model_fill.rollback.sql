-- Undo: Before the old columns of model go: on the way back they are filled here.
--
-- does:    fills the old columns in batches, and comes back to rows that clients hold; can be stopped and run again
-- locks:   the rows of one batch for some ms, waits for none; at the end SHARE UPDATE EXCLUSIVE, for which it waits 5 s
--          at most: reads and writes go on
-- cost:    writes each row of model once, in eight passes over each 10 MB, and reads it twice more; it grows until
--          VACUUM

CALL trueup.fill_rows(
    '0516_contract_model_fill', 'public.model',
    unfilled => 'id__old IS NULL', unchanged => 'id',
    fill => $$
    UPDATE public.model AS t
    SET (id__old, provider__old, capabilities__old, status__old) = (
        SELECT
            coalesce(r.id__old, t.id::text),
            CASE WHEN r.provider = t.provider
                THEN r.provider__old ELSE lower(t.provider COLLATE "C") END,
            CASE WHEN r.capabilities = t.capabilities
                THEN r.capabilities__old ELSE lower(t.capabilities::text COLLATE "C")::varchar[] END,
            CASE WHEN r.status = t.status
                THEN r.status__old ELSE lower(t.status COLLATE "C") END
        FROM (VALUES (true)) AS one
        LEFT JOIN trueup.model_reversal AS r ON r.id = t.id
    )
    WHERE ctid = ANY ($1)
    $$,
    proof => $$ALTER TABLE public.model VALIDATE CONSTRAINT model_filled$$,
    statistics => $$ANALYZE public.model (id__old, provider__old, capabilities__old, status__old)$$
);
