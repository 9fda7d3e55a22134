-- expect: safe
CREATE OR REPLACE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := now();
    -- UPDATE everything; DROP TABLE users; (only words)
    RETURN NEW;
END $$;
CREATE OR REPLACE VIEW active_users AS SELECT id, email FROM users WHERE active;
