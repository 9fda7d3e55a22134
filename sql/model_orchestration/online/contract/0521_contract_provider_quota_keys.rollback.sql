-- Undo: Make the unique indexes of provider_quota its keys.
--
-- does:    gives provider_quota its old keys beside the new unique indexes: instant. An index that a broken-off
--          contract did not come to is built under the lock if the table is small; if it is large, refuses with the
--          statement to run; gives each function of a trigger to its table's owner, with whose rights it runs
-- locks:   ACCESS EXCLUSIVE on provider_quota for a few ms; gives up after 200 ms: run it again
-- cost:    no rewrite, no scan

CALL trueup.fix_transaction();
SET LOCAL lock_timeout = '200ms';

LOCK TABLE public.provider_quota IN ACCESS EXCLUSIVE MODE;
CALL trueup.require_index('public.provider_quota', 'provider_quotas_pkey__back', $$USING btree (id__old)$$);
CALL trueup.require_index('public.provider_quota', 'provider_quota_pkey__again', $$USING btree (id)$$);

-- The validated CHECK spares the scan, so it must still be there.
ALTER TABLE public.provider_quota ALTER COLUMN id__old SET NOT NULL, ALTER COLUMN provider__old SET NOT NULL;
ALTER TABLE public.provider_quota DROP CONSTRAINT provider_quota_filled;
CALL trueup.rename_not_nulls('public.provider_quota', 'provider_quotas', ARRAY[
    'id__old', 'provider__old'
]::name[], ending => '__old');

ALTER TABLE public.provider_quota
    DROP CONSTRAINT provider_quota_pkey,
    ADD CONSTRAINT provider_quotas_pkey PRIMARY KEY USING INDEX provider_quotas_pkey__back;
ALTER INDEX public.provider_quota_pkey__again RENAME TO provider_quota_pkey;

CALL trueup.hand_over('public.provider_quota', 'provider_quota_sync_switched');
-- From here on the trigger's function is the one for these names of the columns.
CREATE OR REPLACE TRIGGER zz_trueup_sync_insert BEFORE INSERT ON public.provider_quota
FOR EACH ROW EXECUTE FUNCTION trueup.provider_quota_sync_switched();
CREATE OR REPLACE TRIGGER zz_trueup_sync_update BEFORE UPDATE ON public.provider_quota
FOR EACH ROW WHEN (
    NEW.id IS NULL
    OR (NEW.id__old, NEW.provider__old) IS DISTINCT FROM (OLD.id__old, OLD.provider__old)
    OR OLD.id IS NOT NULL AND (NEW.id, NEW.provider) IS DISTINCT FROM (OLD.id, OLD.provider)
)
EXECUTE FUNCTION trueup.provider_quota_sync_switched();

DROP FUNCTION IF EXISTS trueup.provider_quota_sync_back();
