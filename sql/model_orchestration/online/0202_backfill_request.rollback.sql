-- Undo: Fill the new columns of requests for the rows that were there before.
--
-- does:    forgets the progress; the columns go with expand
-- locks:   none
-- cost:    no rewrite, no scan

DELETE FROM trueup.progress WHERE file = '0202_backfill_request';
