-- Undo: Take the old name models away, once nobody uses it.
--
-- does:    brings the old name models back: instant
-- locks:   ACCESS EXCLUSIVE on model for a few ms; gives up after 200 ms: run it again
-- cost:    no rewrite, no scan

CALL trueup.fix_transaction();
SET LOCAL lock_timeout = '200ms';

DROP TRIGGER IF EXISTS zz_trueup_forget_all ON public.model;
DROP TRIGGER IF EXISTS zz_trueup_forget ON public.model;
DROP FUNCTION IF EXISTS trueup.model_forget();

-- The usage counter's marker: the server counts that each query through the view reads it once. It is empty,
-- as an older snapshot would find it; and a materialized view, which a dump does not read.
CREATE MATERIALIZED VIEW trueup.models_used AS SELECT true AS used WHERE false;

-- The compat view: the old name, the old columns in their old order.
CREATE VIEW public.models AS
SELECT
    id__old AS id, model_id, provider__old AS provider, display_name, description, capabilities__old AS capabilities,
    status__old AS status, max_tokens, token_limit, cost_per_token, configuration, model_metadata, created_at,
    updated_at
FROM public.model
WHERE NOT EXISTS (SELECT FROM trueup.models_used);

ALTER VIEW public.models ALTER COLUMN status SET DEFAULT 'active';
COMMENT ON VIEW public.models IS 'The models that a request can be routed to';
COMMENT ON COLUMN public.models.model_id IS 'The name that callers use, such as gpt-4';
COMMENT ON COLUMN public.models.status IS 'Whether requests may be routed to the model';
CALL trueup.give_grants('public.models', 'public.model', ARRAY[['id', 'id__old'], ['provider', 'provider__old'], ['capabilities', 'capabilities__old'], ['status', 'status__old']]);

CALL trueup.share_marker('trueup.models_used', 'public.models');
CALL trueup.read_odometer('public.models');
