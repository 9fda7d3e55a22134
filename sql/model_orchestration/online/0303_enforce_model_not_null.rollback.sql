-- Undo: Set NOT NULL on the new columns of models.
--
-- does:    takes NOT NULL away: instant
-- locks:   ACCESS EXCLUSIVE on models for a few ms; gives up after 200 ms: run it again
-- cost:    no rewrite, no scan

CALL trueup.fix_transaction();
SET LOCAL lock_timeout = '200ms';

ALTER TABLE public.models
    ALTER COLUMN id__new DROP NOT NULL,
    ALTER COLUMN provider__new DROP NOT NULL,
    ALTER COLUMN capabilities__new DROP NOT NULL,
    ALTER COLUMN status__new DROP NOT NULL,
    ADD CONSTRAINT models_filled CHECK (id__new IS NOT NULL AND provider__new IS NOT NULL AND capabilities__new IS NOT NULL AND status__new IS NOT NULL) NOT VALID,
    ADD CONSTRAINT models_in_step CHECK (id__new IS NOT DISTINCT FROM id::uuid AND provider__new IS NOT DISTINCT FROM upper(provider COLLATE "C") AND capabilities__new IS NOT DISTINCT FROM upper(capabilities::text COLLATE "C")::varchar[] AND status__new IS NOT DISTINCT FROM upper(status COLLATE "C")) NOT VALID;
