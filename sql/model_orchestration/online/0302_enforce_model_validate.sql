-- Prove the new columns of models for every row that was there before.
--
-- does:    validates in one scan that each row has its new values, that they are allowed, and that both sides agree
-- locks:   SHARE UPDATE EXCLUSIVE on models: reads and writes go on
-- cost:    reads models once
-- undo:    nothing to undo: the CHECKs go with expand
-- depends: 0301_enforce_model_pkey

CALL trueup.fix_transaction();
SET LOCAL lock_timeout = '5s';

ALTER TABLE public.models
    VALIDATE CONSTRAINT model_provider_check, VALIDATE CONSTRAINT model_capabilities_check,
    VALIDATE CONSTRAINT model_status_check, VALIDATE CONSTRAINT models_filled, VALIDATE CONSTRAINT models_in_step;
