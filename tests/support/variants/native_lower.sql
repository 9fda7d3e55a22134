-- Variant C: native enum types with lowercase labels, also as an array; text ids with a default, a
-- foreign key, and a value that may be null.

CREATE TYPE modelprovider AS ENUM ('openai', 'anthropic', 'ollama', 'custom');
CREATE TYPE modelstatus AS ENUM ('active', 'inactive', 'deprecated');
CREATE TYPE requesttype AS ENUM (
    'chat', 'completion', 'embedding', 'image_generation', 'audio_transcription', 'audio_translation'
);

CREATE TABLE models (
    model_id varchar(100) NOT NULL,
    id varchar(36) NOT NULL DEFAULT gen_random_uuid()::text,
    provider modelprovider NOT NULL,
    display_name varchar(100),
    capabilities requesttype[] NOT NULL DEFAULT '{chat}',
    status modelstatus NOT NULL DEFAULT 'active',
    configuration json,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT models_pkey PRIMARY KEY (id),
    CONSTRAINT models_model_id_key UNIQUE (model_id)
);

CREATE TABLE requests (
    id char(36) NOT NULL,
    request_id varchar(100) NOT NULL,
    request_type requesttype NOT NULL,
    model_id varchar(36) REFERENCES models (id) ON UPDATE CASCADE ON DELETE SET NULL,
    provider modelprovider,
    request_data json NOT NULL,
    success boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT requests_pkey PRIMARY KEY (id),
    CONSTRAINT requests_request_id_key UNIQUE (request_id)
);
CREATE INDEX requests_model_id_idx ON requests (model_id);
CREATE INDEX requests_provider_success_idx ON requests (provider, success);

CREATE TABLE provider_quotas (
    id text NOT NULL,
    provider modelprovider NOT NULL,
    daily_tokens_used integer NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT provider_quotas_pkey PRIMARY KEY (id),
    CONSTRAINT provider_quotas_provider_key UNIQUE (provider)
);
