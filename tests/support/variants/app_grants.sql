-- The application's role is no owner, and knows the old names only.

GRANT CREATE, USAGE ON SCHEMA public TO trueup_test_owner;
ALTER TABLE models OWNER TO trueup_test_owner;
ALTER TABLE requests OWNER TO trueup_test_owner;
ALTER TABLE provider_quotas OWNER TO trueup_test_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON models, requests, provider_quotas TO trueup_test_app;
GRANT INSERT ON requests TO trueup_test_clerk;
