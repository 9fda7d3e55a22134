-- Undo: Keep the old spellings of request that the new contract cannot give back.
--
-- does:    drops the copy, which has been put back by then
-- locks:   ACCESS EXCLUSIVE on the copy for a few ms; gives up after 200 ms and can be run again
-- cost:    no rewrite, no scan
-- undo:    apply 0504_contract_request_reversal again: reads request once, writes the rows that
--          differ

SET LOCAL search_path = pg_catalog;
CALL trueup.fix_settings();
SET LOCAL lock_timeout = '200ms';

DROP TABLE trueup.request_reversal;
