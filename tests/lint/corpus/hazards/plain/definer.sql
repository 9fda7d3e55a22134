-- expect: security-definer
CREATE OR REPLACE FUNCTION close_account(account bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    UPDATE accounts SET closed = true WHERE id = account;
END $$;
