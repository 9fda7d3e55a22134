-- What a production database has besides tables and rows: another owner, grants, comments, row
-- security, statistics and storage settings. The roles are made by the test session.

GRANT CREATE, USAGE ON SCHEMA public TO trueup_test_owner;
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO trueup_test_report;
ALTER DEFAULT PRIVILEGES FOR ROLE trueup_test_owner GRANT ALL ON TABLES TO trueup_test_report;

ALTER TABLE models OWNER TO trueup_test_owner;
ALTER TABLE requests OWNER TO trueup_test_owner;
ALTER TABLE provider_quotas OWNER TO trueup_test_owner;

GRANT SELECT, INSERT, UPDATE, DELETE ON models, requests, provider_quotas TO trueup_test_app;
GRANT SELECT ON requests TO trueup_test_report WITH GRANT OPTION;
GRANT SELECT (id, status, display_name), UPDATE (status) ON models TO trueup_test_clerk;
GRANT SELECT (provider) ON models TO trueup_test_clerk WITH GRANT OPTION;
GRANT INSERT ON requests TO trueup_test_clerk;
GRANT SELECT (daily_tokens_used) ON provider_quotas TO PUBLIC;

COMMENT ON COLUMN models.id IS 'It''s 100% "ours"';
COMMENT ON COLUMN models.created_at IS 'When the row was made';
COMMENT ON INDEX requests_model_id_idx IS 'For the history of a model';
COMMENT ON INDEX requests_created_at_idx IS 'For the billing run';
COMMENT ON CONSTRAINT models_model_id_key ON models IS 'Callers name models by it';
COMMENT ON CONSTRAINT models_pkey ON models IS 'The key';
COMMENT ON CONSTRAINT requests_model_id_fkey ON requests IS 'No request without its model';

ALTER TABLE models
    ALTER COLUMN status SET STATISTICS 500,
    ALTER COLUMN description SET STORAGE EXTERNAL,
    ALTER COLUMN description SET COMPRESSION pglz,
    ALTER COLUMN capabilities SET STORAGE MAIN,
    ALTER COLUMN provider SET (n_distinct = 4),
    SET (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE requests
    ALTER COLUMN request_data SET STORAGE EXTERNAL,
    ALTER COLUMN user_id SET STATISTICS 1000,
    ALTER COLUMN user_id SET (n_distinct = -0.5),
    ADD CONSTRAINT requests_tokens_check CHECK (prompt_tokens >= 0),
    ADD CONSTRAINT requests_cost_check CHECK (cost >= 0) NOT VALID;
ALTER TABLE requests CLUSTER ON requests_created_at_idx;

ALTER TABLE requests ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_project ON requests TO trueup_test_app
    USING (project_id IS NULL OR project_id <> current_setting('app.hidden_project', true))
    WITH CHECK (user_id IS DISTINCT FROM 'nobody');
CREATE POLICY all_rows ON requests FOR SELECT TO trueup_test_report USING (true);
CREATE POLICY clerk_inserts ON requests FOR INSERT TO trueup_test_clerk WITH CHECK (success);

ALTER TABLE provider_quotas ADD COLUMN number serial;
CREATE STATISTICS requests_who (ndistinct, dependencies) ON user_id, project_id FROM requests;

CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END
$$;
CREATE TRIGGER stamp BEFORE UPDATE ON models FOR EACH ROW EXECUTE FUNCTION stamp();
CREATE TRIGGER stamp_quota
    BEFORE UPDATE OF daily_tokens_used, daily_cost_used ON provider_quotas
    FOR EACH ROW WHEN (OLD.daily_tokens_used < NEW.daily_tokens_used)
    EXECUTE FUNCTION stamp();
ALTER TABLE provider_quotas ENABLE ALWAYS TRIGGER stamp_quota;
