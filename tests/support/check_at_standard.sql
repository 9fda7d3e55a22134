-- Model Orchestration as somebody made it by hand, at the standard: trueup never ran here. Each CHECK
-- is written in another way.

CREATE TABLE model (
    id uuid NOT NULL,
    model_id varchar(100) NOT NULL,
    provider varchar(20) NOT NULL,
    capabilities varchar(30)[] NOT NULL,
    status varchar NOT NULL DEFAULT 'ACTIVE',
    CONSTRAINT model_pkey PRIMARY KEY (id),
    CONSTRAINT model_model_id_key UNIQUE (model_id),
    CONSTRAINT model_provider_check CHECK (
        provider = 'OPENAI' OR provider = 'ANTHROPIC' OR provider = 'CUSTOM' OR 'OLLAMA' = provider
    ),
    CONSTRAINT model_capabilities_check CHECK (
        capabilities <@ '{CHAT,COMPLETION,EMBEDDING,IMAGE_GENERATION,AUDIO_TRANSCRIPTION,AUDIO_TRANSLATION}'
    ),
    CONSTRAINT model_status_check CHECK (status ~ '^(ACTIVE|INACTIVE|DEPRECATED)$')
);

CREATE TABLE request (
    id uuid NOT NULL CONSTRAINT request_pkey PRIMARY KEY,
    request_type varchar(50) NOT NULL,
    model_id uuid NOT NULL CONSTRAINT request_model_id_fkey REFERENCES model,
    provider varchar(50),
    CONSTRAINT request_type_check CHECK (
        request_type = ANY ('{CHAT,COMPLETION,EMBEDDING,IMAGE_GENERATION,AUDIO_TRANSCRIPTION,AUDIO_TRANSLATION}')
    ),
    CONSTRAINT request_provider_check CHECK (
        CASE WHEN provider = 'CUSTOM' THEN true ELSE provider IN ('OLLAMA', 'ANTHROPIC', 'OPENAI') END
    )
);

CREATE TABLE provider_quota (
    id uuid NOT NULL CONSTRAINT provider_quota_pkey PRIMARY KEY DEFAULT gen_random_uuid(),
    provider varchar(50) NOT NULL,
    CONSTRAINT provider_quota_provider_check CHECK (
        provider::text IN ('OPENAI', 'ANTHROPIC', 'OLLAMA', 'CUSTOM') AND provider IS NOT NULL
    )
);
