-- Rollback: fill the old columns of request.
--
-- does:    fills the old columns in batches, and comes back to rows that clients hold; can be stopped and run again
-- locks:   the rows of one batch for some ms, waits for none; at the end SHARE UPDATE EXCLUSIVE, for which it waits 5 s
--          at most: reads and writes go on
-- cost:    writes each row of request once, in eight passes over each 10 MB, and reads it twice more; it grows until
--          VACUUM

CALL trueup.fill_rows(
    '0515_contract_request_fill', 'public.request',
    unfilled => 'id__old IS NULL',
    fill => $$
    UPDATE public.request AS t
    SET
        id__old = coalesce((SELECT r.id__old FROM trueup.request_reversal AS r WHERE r.id = t.id), t.id::text),
        request_type__old = coalesce(
            (SELECT r.request_type__old FROM trueup.request_reversal AS r WHERE r.id = t.id AND r.request_type = t.request_type),
            lower(t.request_type COLLATE "C")
        ),
        model_id__old = coalesce(
            (SELECT p.id__old FROM trueup.model_sides AS p WHERE p.id = t.model_id),
            (SELECT r.id__old FROM trueup.model_reversal AS r WHERE r.id = t.model_id LIMIT 1),
            t.model_id::text
        ),
        provider__old = coalesce(
            (SELECT r.provider__old FROM trueup.request_reversal AS r WHERE r.id = t.id AND r.provider = t.provider),
            lower(t.provider COLLATE "C")
        )
    WHERE ctid = ANY ($1)
    $$,
    proof => $$ALTER TABLE public.request VALIDATE CONSTRAINT request_filled$$,
    statistics => $$ANALYZE public.request (id__old, request_type__old, model_id__old, provider__old)$$
);
