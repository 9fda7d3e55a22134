-- Undo: Fill the new columns of provider_quotas for the rows that were there before.
--
-- does:    forgets the progress; the columns go with expand
-- locks:   none
-- cost:    no rewrite, no scan

DELETE FROM trueup.progress WHERE file = '0203_backfill_provider_quota';
