-- Variant B: native enum types with uppercase labels, one of them shared by three tables; ids are
-- uuid already; no foreign keys; capabilities holds lowercase text.

CREATE TYPE modelprovider AS ENUM ('OPENAI', 'ANTHROPIC', 'OLLAMA', 'CUSTOM');
CREATE TYPE modelstatus AS ENUM ('ACTIVE', 'INACTIVE', 'DEPRECATED');
CREATE TYPE requesttype AS ENUM (
    'CHAT', 'COMPLETION', 'EMBEDDING', 'IMAGE_GENERATION', 'AUDIO_TRANSCRIPTION', 'AUDIO_TRANSLATION'
);

CREATE TABLE models (
    id uuid NOT NULL,
    model_id varchar(100) NOT NULL,
    provider modelprovider NOT NULL,
    display_name varchar(100),
    description varchar,
    capabilities varchar[] NOT NULL,
    status modelstatus NOT NULL DEFAULT 'ACTIVE',
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

CREATE TABLE requests (
    id uuid NOT NULL,
    request_id varchar(100) NOT NULL,
    request_type requesttype NOT NULL,
    model_id varchar(100) NOT NULL,
    provider modelprovider NOT NULL,
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
    CONSTRAINT requests_request_id_key UNIQUE (request_id)
);
CREATE INDEX ix_requests_model_id ON requests (model_id);
CREATE INDEX requests_open_idx ON requests (created_at) WHERE completed_at IS NULL;
CREATE INDEX requests_provider_idx ON requests (provider) INCLUDE (success);

CREATE TABLE provider_quotas (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    provider modelprovider NOT NULL,
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
