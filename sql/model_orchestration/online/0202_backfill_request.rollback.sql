-- Undo: Fill the new columns of requests for the rows that were there before.
--
-- does:    forgets the progress; the columns go with expand
-- locks:   none
-- cost:    no rewrite, no scan
-- undo:    apply 0202_backfill_request again: writes each row once, and samples the table; the
--          table grows until VACUUM

DELETE FROM trueup.progress WHERE file = '0202_backfill_request';
