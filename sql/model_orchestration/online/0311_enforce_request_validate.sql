-- Prove the CHECKs for every row of request that was there before.
--
-- does:    validates the CHECKs in one scan
-- locks:   SHARE UPDATE EXCLUSIVE on request: reads and writes go on
-- cost:    reads request once
-- undo:    nothing to undo: the CHECKs go with the file that made them
-- depends: 0310_enforce_request_constraints

SET LOCAL lock_timeout = '5s';

ALTER TABLE public.request
    VALIDATE CONSTRAINT request_type_check,
    VALIDATE CONSTRAINT request_provider_check,
    VALIDATE CONSTRAINT request_id_filled,
    VALIDATE CONSTRAINT request_request_type_filled,
    VALIDATE CONSTRAINT request_model_id_filled,
    VALIDATE CONSTRAINT request_provider_filled;
