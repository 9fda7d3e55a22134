-- The Model Orchestration service as it grew up: its old contract.
--
-- does:    creates models, requests and provider_quotas with text ids and lowercase values;
--          on a database that has them already, mark this file instead of applying it
-- locks:   only what it creates
-- cost:    none
-- undo:    drops the three tables, and refuses while they hold rows

CREATE TABLE public.models (
    id varchar(36) NOT NULL,
    model_id varchar(100) NOT NULL,
    provider varchar(50) NOT NULL,
    display_name varchar(100),
    description varchar,
    capabilities varchar[] NOT NULL,
    status varchar(50) NOT NULL DEFAULT 'active',
    max_tokens integer,
    token_limit integer,
    cost_per_token double precision,
    configuration json,
    model_metadata json,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT models_pkey PRIMARY KEY (id),
    CONSTRAINT models_model_id_key UNIQUE (model_id)
);

COMMENT ON TABLE public.models IS 'The models that a request can be routed to';
COMMENT ON COLUMN public.models.model_id IS 'The name that callers use, such as gpt-4';
COMMENT ON COLUMN public.models.status IS 'Whether requests may be routed to the model';

CREATE TABLE public.requests (
    id varchar(36) NOT NULL,
    request_id varchar(100) NOT NULL,
    request_type varchar(50) NOT NULL,
    model_id varchar(36) NOT NULL,
    provider varchar(50) NOT NULL,
    user_id varchar(100),
    project_id varchar(100),
    task_id varchar(100),
    request_data json NOT NULL,
    response_data json,
    prompt_tokens integer,
    completion_tokens integer,
    total_tokens integer,
    latency_ms double precision,
    cost double precision,
    success boolean NOT NULL,
    error_message varchar,
    error_code varchar(50),
    created_at timestamptz NOT NULL DEFAULT now(),
    completed_at timestamptz,
    CONSTRAINT requests_pkey PRIMARY KEY (id),
    CONSTRAINT requests_request_id_key UNIQUE (request_id),
    CONSTRAINT requests_model_id_fkey FOREIGN KEY (model_id) REFERENCES public.models (id)
);

CREATE INDEX requests_model_id_idx ON public.requests (model_id);
CREATE INDEX requests_created_at_idx ON public.requests (created_at);
CREATE INDEX requests_provider_success_idx ON public.requests (provider, success);

COMMENT ON TABLE public.requests IS 'One row for each request to a provider, kept for billing';
COMMENT ON COLUMN public.requests.latency_ms IS 'Time until the provider answered, in milliseconds';

CREATE TABLE public.provider_quotas (
    id varchar(36) NOT NULL,
    provider varchar(50) NOT NULL,
    daily_token_limit integer,
    monthly_token_limit integer,
    daily_cost_limit double precision,
    monthly_cost_limit double precision,
    daily_tokens_used integer NOT NULL,
    monthly_tokens_used integer NOT NULL,
    daily_cost_used double precision NOT NULL,
    monthly_cost_used double precision NOT NULL,
    daily_reset_at timestamptz,
    monthly_reset_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT provider_quotas_pkey PRIMARY KEY (id)
);

CREATE INDEX provider_quotas_provider_idx ON public.provider_quotas (provider);

COMMENT ON TABLE public.provider_quotas IS 'What may be spent with a provider, and what was spent';
