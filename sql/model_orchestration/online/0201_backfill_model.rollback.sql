-- Undo: Fill the new columns of models for the rows that were there before.
--
-- does:    forgets the progress; the columns go with expand
-- locks:   none
-- cost:    no rewrite, no scan

DELETE FROM trueup.progress WHERE file = '0201_backfill_model';
