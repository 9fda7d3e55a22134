-- Fill the new columns of provider_quotas for the rows that were there before.
--
-- does:    converts all columns of a row in one UPDATE, in batches of as many rows as 80 pages hold, and commits each;
--          comes back to rows that clients hold; fires no trigger of the service; can be stopped and run again at any
--          point
-- locks:   the rows of one batch for some ms, waits for none; at the end SHARE UPDATE EXCLUSIVE, for which it waits 5 s
--          at most: reads and writes go on
-- cost:    writes each row once, in eight passes over each 10 MB, and reads the table once more; it grows until VACUUM
-- undo:    nothing to undo: the columns go with expand
-- transactional: false
-- depends: 0103_expand_provider_quota

CALL trueup.fill_rows(
    '0203_backfill_provider_quota', 'public.provider_quotas',
    unfilled => 'id__new IS NULL',
    fill => $$
    UPDATE public.provider_quotas
    SET
        id__new = id::uuid,
        provider__new = upper(provider COLLATE "C")
    WHERE ctid = ANY ($1)
    $$,
    statistics => $$ANALYZE public.provider_quotas (id__new, provider__new)$$
);
