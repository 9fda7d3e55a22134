-- Brings the old name requests back: instant.

SET LOCAL search_path = pg_catalog;
CALL trueup.fix_settings();
SET LOCAL lock_timeout = '200ms';

-- The odometer's marker. Every query through the view reads it once, and the server counts that.
-- It is a materialized view so that a dump does not read it.
CREATE MATERIALIZED VIEW trueup.requests_used AS SELECT true AS used;
GRANT SELECT ON trueup.requests_used TO PUBLIC;

-- The compat view: the old name, the old columns in their old order.
CREATE VIEW public.requests AS
SELECT
    id__old AS id,
    request_id,
    request_type__old AS request_type,
    model_id__old AS model_id,
    provider__old AS provider,
    user_id,
    project_id,
    task_id,
    request_data,
    response_data,
    prompt_tokens,
    completion_tokens,
    total_tokens,
    latency_ms,
    cost,
    success,
    error_message,
    error_code,
    created_at,
    completed_at
FROM public.request
WHERE EXISTS (SELECT FROM trueup.requests_used);

CALL trueup.stand_in('public.requests', 'public.request');

CALL trueup.read_odometer('public.requests');
