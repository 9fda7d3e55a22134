-- Prove the CHECKs for every row of model that was there before.
--
-- does:    validates the CHECKs in one scan
-- locks:   SHARE UPDATE EXCLUSIVE on model: reads and writes go on
-- cost:    reads model once
-- undo:    nothing to undo: the CHECKs go with the file that made them
-- depends: 0303_enforce_model_constraints

SET LOCAL lock_timeout = '5s';

ALTER TABLE public.model
    VALIDATE CONSTRAINT model_provider_check,
    VALIDATE CONSTRAINT model_capabilities_check,
    VALIDATE CONSTRAINT model_status_check,
    VALIDATE CONSTRAINT model_id_filled,
    VALIDATE CONSTRAINT model_provider_filled,
    VALIDATE CONSTRAINT model_capabilities_filled,
    VALIDATE CONSTRAINT model_status_filled;
