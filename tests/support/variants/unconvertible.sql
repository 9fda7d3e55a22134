-- Variant D: what each of these says cannot be converted.

UPDATE models SET status = 'archived' WHERE model_id IN ('claude-1', 'in-house');
INSERT INTO models (id, model_id, provider, capabilities)
VALUES (upper(md5('model gpt-4')::uuid::text), 'gpt-4-twin', 'openai', '{chat}');
UPDATE models SET capabilities = '{chat,telepathy}' WHERE model_id = 'gpt-4';
UPDATE requests SET provider = 'it''s 100% new' WHERE request_id IN ('req_1', 'req_2', 'req_3');
UPDATE requests SET id = 'not-a-uuid' WHERE request_id = 'req_4';
