-- Undo: Set NOT NULL on the new columns of provider_quotas.
--
-- does:    takes NOT NULL away: instant
-- locks:   ACCESS EXCLUSIVE on provider_quotas for a few ms; gives up after 200 ms: run it again
-- cost:    no rewrite, no scan

CALL trueup.fix_transaction();
SET LOCAL lock_timeout = '200ms';

ALTER TABLE public.provider_quotas
    ALTER COLUMN id__new DROP NOT NULL,
    ALTER COLUMN provider__new DROP NOT NULL,
    ADD CONSTRAINT provider_quotas_filled CHECK (id__new IS NOT NULL AND provider__new IS NOT NULL) NOT VALID,
    ADD CONSTRAINT provider_quotas_in_step CHECK (id__new IS NOT DISTINCT FROM id::uuid AND provider__new IS NOT DISTINCT FROM upper(provider COLLATE "C")) NOT VALID;
