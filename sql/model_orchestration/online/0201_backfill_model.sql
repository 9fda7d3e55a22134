-- Fill the new columns of models for the rows that were there before.
--
-- does:    converts all columns of a row in one UPDATE, in batches of as many rows as 80 pages hold, and commits each;
--          comes back to rows that clients hold; fires no trigger of the service; can be stopped and run again at any
--          point
-- locks:   the rows of one batch for some ms, waits for none; at the end SHARE UPDATE EXCLUSIVE, for which it waits 5 s
--          at most: reads and writes go on
-- cost:    writes each row once, in eight passes over each 10 MB, and reads the table once more; it grows until VACUUM
-- undo:    nothing to undo: the columns go with expand
-- transactional: false
-- depends: 0101_expand_model 0102_expand_request

CALL trueup.fill_rows(
    '0201_backfill_model', 'public.models',
    unfilled => 'id__new IS NULL',
    fill => $$
    UPDATE public.models
    SET
        id__new = id::uuid,
        provider__new = upper(provider COLLATE "C"),
        capabilities__new = upper(capabilities::text COLLATE "C")::varchar[],
        status__new = upper(status COLLATE "C")
    WHERE ctid = ANY ($1)
    $$,
    statistics => $$ANALYZE public.models (id__new, provider__new, capabilities__new, status__new)$$
);
