-- Prove the CHECKs for every row of provider_quota that was there before.
--
-- does:    validates the CHECKs in one scan
-- locks:   SHARE UPDATE EXCLUSIVE on provider_quota: reads and writes go on
-- cost:    reads provider_quota once
-- undo:    nothing to undo: the CHECKs go with the file that made them
-- depends: 0316_enforce_provider_quota_constraints

SET LOCAL lock_timeout = '5s';

ALTER TABLE public.provider_quota
    VALIDATE CONSTRAINT provider_quota_provider_check,
    VALIDATE CONSTRAINT provider_quota_id_filled,
    VALIDATE CONSTRAINT provider_quota_provider_filled;
