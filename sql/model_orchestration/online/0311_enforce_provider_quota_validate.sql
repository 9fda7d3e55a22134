-- Prove the new columns of provider_quotas for every row that was there before.
--
-- does:    validates in one scan that each row has its new values, that they are allowed, and that both sides agree
-- locks:   SHARE UPDATE EXCLUSIVE on provider_quotas: reads and writes go on
-- cost:    reads provider_quotas once
-- undo:    nothing to undo: the CHECKs go with expand
-- depends: 0310_enforce_provider_quota_provider_idx

CALL trueup.fix_transaction();
SET LOCAL lock_timeout = '5s';

ALTER TABLE public.provider_quotas
    VALIDATE CONSTRAINT provider_quota_provider_check, VALIDATE CONSTRAINT provider_quotas_filled,
    VALIDATE CONSTRAINT provider_quotas_in_step;
