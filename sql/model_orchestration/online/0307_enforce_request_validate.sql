-- Prove the new columns of requests for every row that was there before.
--
-- does:    validates in one scan that each row has its new values, that they are allowed, and that both sides agree
-- locks:   SHARE UPDATE EXCLUSIVE on requests: reads and writes go on
-- cost:    reads requests once
-- undo:    nothing to undo: the CHECKs go with expand
-- depends: 0306_enforce_request_provider_success_idx

CALL trueup.fix_transaction();
SET LOCAL lock_timeout = '5s';

ALTER TABLE public.requests
    VALIDATE CONSTRAINT request_type_check, VALIDATE CONSTRAINT request_provider_check,
    VALIDATE CONSTRAINT requests_filled, VALIDATE CONSTRAINT requests_in_step;
