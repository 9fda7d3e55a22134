-- Makes variant A's rows dirty, but convertible: mixed case, ids in upper case and as 32 digits.

ALTER TABLE requests DROP CONSTRAINT requests_model_id_fkey;

UPDATE models SET
    id = CASE row_number % 3 WHEN 0 THEN upper(id) WHEN 1 THEN replace(id, '-', '') ELSE id END,
    provider = CASE row_number % 2 WHEN 0 THEN initcap(provider) ELSE provider END,
    capabilities = CASE row_number % 2
        WHEN 1 THEN replace(capabilities::text, 'chat', 'Chat')::varchar[] ELSE capabilities
    END,
    status = CASE row_number % 4 WHEN 0 THEN upper(status) WHEN 1 THEN initcap(status) ELSE status END
FROM (SELECT model_id AS name, row_number() OVER (ORDER BY model_id) FROM models) AS numbered
WHERE name = model_id;

UPDATE requests SET model_id = models.id FROM models WHERE models.id::uuid = requests.model_id::uuid;

ALTER TABLE requests
    ADD CONSTRAINT requests_model_id_fkey FOREIGN KEY (model_id) REFERENCES models (id);

UPDATE requests SET
    id = CASE total_tokens % 3 WHEN 0 THEN upper(id) WHEN 1 THEN replace(id, '-', '') ELSE id END,
    request_type = CASE total_tokens % 5 WHEN 0 THEN upper(request_type) ELSE request_type END,
    provider = CASE total_tokens % 4 WHEN 0 THEN initcap(provider) ELSE provider END;

UPDATE provider_quotas SET provider = 'OpenAI' WHERE provider = 'openai' AND daily_tokens_used > 5;
