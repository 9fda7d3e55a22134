-- Undo: Before the old columns of request go: on the way back they are filled here.
--
-- does:    fills the old columns in batches, and comes back to rows that clients hold; can be stopped and run again
-- locks:   the rows of one batch for some ms, waits for none; at the end SHARE UPDATE EXCLUSIVE, for which it waits 5 s
--          at most: reads and writes go on
-- cost:    writes each row of request once, in eight passes over each 10 MB, and reads it twice more; it grows until
--          VACUUM

CALL trueup.fill_rows(
    '0515_contract_request_fill', 'public.request',
    unfilled => 'id__old IS NULL', unchanged => 'id',
    fill => $$
    UPDATE public.request AS t
    SET (id__old, request_type__old, model_id__old, provider__old) = (
        SELECT
            coalesce(r.id__old, t.id::text),
            CASE WHEN r.request_type = t.request_type
                THEN r.request_type__old ELSE lower(t.request_type COLLATE "C") END,
            coalesce(
                (SELECT p.id__old FROM public.model AS p WHERE p.id = t.model_id),
                (SELECT r.id__old FROM trueup.model_reversal AS r WHERE r.id = t.model_id LIMIT 1),
                t.model_id::text
            ),
            CASE WHEN r.provider = t.provider
                THEN r.provider__old ELSE lower(t.provider COLLATE "C") END
        FROM (VALUES (true)) AS one
        LEFT JOIN trueup.request_reversal AS r ON r.id = t.id
    )
    WHERE ctid = ANY ($1)
    $$,
    proof => $$ALTER TABLE public.request VALIDATE CONSTRAINT request_filled$$,
    statistics => $$ANALYZE public.request (id__old, request_type__old, model_id__old, provider__old)$$
);
