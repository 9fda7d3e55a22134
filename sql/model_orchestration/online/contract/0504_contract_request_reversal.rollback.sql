-- Undo: Keep the old spellings of request that the new contract cannot give back.
--
-- does:    drops the copy, which has been put back by then; gives up after 200 ms while a client uses it: run it again
-- locks:   none
-- cost:    no rewrite, no scan

CALL trueup.fix_transaction();
SET LOCAL lock_timeout = '200ms';

DROP TABLE trueup.request_reversal;
