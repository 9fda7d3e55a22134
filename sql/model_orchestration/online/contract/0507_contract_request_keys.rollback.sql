-- Undo: Make the unique indexes of request its keys.
--
-- does:    gives request its old keys beside the new unique indexes: instant. An index that a broken-off contract did
--          not come to is built under the lock if the table is small; if it is large, refuses with the statement to
--          run; gives each function of a trigger to its table's owner, with whose rights it runs
-- locks:   ACCESS EXCLUSIVE on request for a few ms; gives up after 200 ms: run it again
-- cost:    no rewrite, no scan

CALL trueup.fix_transaction();
SET LOCAL lock_timeout = '200ms';

LOCK TABLE public.request IN ACCESS EXCLUSIVE MODE;
CALL trueup.require_index('public.request', 'requests_pkey__back', $$USING btree (id__old)$$);
CALL trueup.require_index('public.request', 'request_pkey__again', $$USING btree (id)$$);

-- The validated CHECK spares the scan, so it must still be there.
ALTER TABLE public.request
    ALTER COLUMN id__old SET NOT NULL, ALTER COLUMN request_type__old SET NOT NULL,
    ALTER COLUMN model_id__old SET NOT NULL, ALTER COLUMN provider__old SET NOT NULL;
ALTER TABLE public.request DROP CONSTRAINT request_filled;
CALL trueup.rename_not_nulls('public.request', 'requests', ARRAY[
    'id__old', 'request_type__old', 'model_id__old', 'provider__old'
]::name[], ending => '__old');

ALTER TABLE public.request
    DROP CONSTRAINT request_pkey,
    ADD CONSTRAINT requests_pkey PRIMARY KEY USING INDEX requests_pkey__back;
ALTER INDEX public.request_pkey__again RENAME TO request_pkey;

CALL trueup.hand_over('public.request', 'request_sync_switched');
-- From here on the trigger's function is the one for these names of the columns.
CREATE OR REPLACE TRIGGER zz_trueup_sync_insert BEFORE INSERT ON public.request
FOR EACH ROW EXECUTE FUNCTION trueup.request_sync_switched();
CREATE OR REPLACE TRIGGER zz_trueup_sync_update BEFORE UPDATE ON public.request
FOR EACH ROW WHEN (
    NEW.id IS NULL
    OR (NEW.id__old, NEW.request_type__old, NEW.model_id__old, NEW.provider__old) IS DISTINCT FROM (OLD.id__old, OLD.request_type__old, OLD.model_id__old, OLD.provider__old)
    OR OLD.id IS NOT NULL AND (NEW.id, NEW.request_type, NEW.model_id, NEW.provider) IS DISTINCT FROM (OLD.id, OLD.request_type, OLD.model_id, OLD.provider)
)
EXECUTE FUNCTION trueup.request_sync_switched();

DROP FUNCTION IF EXISTS trueup.request_sync_back();
