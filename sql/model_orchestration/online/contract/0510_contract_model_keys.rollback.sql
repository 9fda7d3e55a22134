-- Undo: Make the unique indexes of model its keys.
--
-- does:    gives model its old keys beside the new unique indexes: instant. An index that a broken-off contract did not
--          come to is built under the lock if the table is small; if it is large, refuses with the statement to run;
--          gives each function of a trigger to its table's owner, with whose rights it runs
-- locks:   ACCESS EXCLUSIVE on model, request for a few ms; gives up after 200 ms: run it again
-- cost:    no rewrite, no scan

CALL trueup.fix_transaction();
SET LOCAL lock_timeout = '200ms';

CALL trueup.lock_tables('ACCESS EXCLUSIVE', 'public.request', 'public.model');
CALL trueup.require_index('public.model', 'models_pkey__back', $$USING btree (id__old)$$);
CALL trueup.require_index('public.model', 'model_pkey__again', $$USING btree (id)$$);

-- The validated CHECK spares the scan, so it must still be there.
ALTER TABLE public.model
    ALTER COLUMN id__old SET NOT NULL, ALTER COLUMN provider__old SET NOT NULL,
    ALTER COLUMN capabilities__old SET NOT NULL, ALTER COLUMN status__old SET NOT NULL;
ALTER TABLE public.model DROP CONSTRAINT model_filled;
CALL trueup.rename_not_nulls('public.model', 'models', ARRAY[
    'id__old', 'provider__old', 'capabilities__old', 'status__old'
]::name[], ending => '__old');

ALTER TABLE public.request DROP CONSTRAINT request_model_id_fkey;

ALTER TABLE public.model
    DROP CONSTRAINT model_pkey, ADD CONSTRAINT models_pkey PRIMARY KEY USING INDEX models_pkey__back;
ALTER INDEX public.model_pkey__again RENAME TO model_pkey;

ALTER TABLE public.request
    ADD CONSTRAINT request_model_id_fkey
    FOREIGN KEY (model_id)
    REFERENCES public.model (id) NOT VALID;

CALL trueup.hand_over('public.model', 'model_sync_switched');
-- From here on the trigger's function is the one for these names of the columns.
CREATE OR REPLACE TRIGGER zz_trueup_sync_insert BEFORE INSERT ON public.model
FOR EACH ROW EXECUTE FUNCTION trueup.model_sync_switched();
CREATE OR REPLACE TRIGGER zz_trueup_sync_update BEFORE UPDATE ON public.model
FOR EACH ROW WHEN (
    NEW.id IS NULL
    OR (NEW.id__old, NEW.provider__old, NEW.capabilities__old, NEW.status__old) IS DISTINCT FROM (OLD.id__old, OLD.provider__old, OLD.capabilities__old, OLD.status__old)
    OR OLD.id IS NOT NULL AND (NEW.id, NEW.provider, NEW.capabilities, NEW.status) IS DISTINCT FROM (OLD.id, OLD.provider, OLD.capabilities, OLD.status)
)
EXECUTE FUNCTION trueup.model_sync_switched();

DROP FUNCTION IF EXISTS trueup.model_sync_back();
