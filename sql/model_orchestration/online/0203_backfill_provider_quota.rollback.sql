-- Forgets the progress; the columns go with expand.

DELETE FROM trueup.progress WHERE file = '0203_backfill_provider_quota';
