-- Undo: Take the old name requests away, once nobody uses it.
--
-- does:    brings the old name requests back: instant
-- locks:   ACCESS EXCLUSIVE on request for a few ms; gives up after 200 ms: run it again
-- cost:    no rewrite, no scan

CALL trueup.fix_transaction();
SET LOCAL lock_timeout = '200ms';

DROP TRIGGER IF EXISTS zz_trueup_forget_all ON public.request;
DROP TRIGGER IF EXISTS zz_trueup_forget ON public.request;
DROP FUNCTION IF EXISTS trueup.request_forget();

-- The usage counter's marker: the server counts that each query through the view reads it once. It is empty,
-- as an older snapshot would find it; and a materialized view, which a dump does not read.
CREATE MATERIALIZED VIEW trueup.requests_used AS SELECT true AS used WHERE false;

-- The compat view: the old name, the old columns in their old order.
CREATE VIEW public.requests AS
SELECT
    id__old AS id, request_id, request_type__old AS request_type, model_id__old AS model_id, provider__old AS provider,
    user_id, project_id, task_id, request_data, response_data, prompt_tokens, completion_tokens, total_tokens,
    latency_ms, cost, success, error_message, error_code, created_at, completed_at
FROM public.request
WHERE NOT EXISTS (SELECT FROM trueup.requests_used);

COMMENT ON VIEW public.requests IS 'One row for each request to a provider, kept for billing';
COMMENT ON COLUMN public.requests.latency_ms IS 'Time until the provider answered, in milliseconds';
CALL trueup.give_grants('public.requests', 'public.request', ARRAY[['id', 'id__old'], ['request_type', 'request_type__old'], ['model_id', 'model_id__old'], ['provider', 'provider__old']]);

CALL trueup.share_marker('trueup.requests_used', 'public.requests');
CALL trueup.read_odometer('public.requests');
