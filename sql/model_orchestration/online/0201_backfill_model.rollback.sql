-- Forgets the progress; the columns go with expand.

DELETE FROM trueup.progress WHERE file = '0201_backfill_model';
