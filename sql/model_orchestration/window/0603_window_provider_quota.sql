-- Turn provider_quotas into provider_quota in one go.
--
-- does:    converts every column of a table in one ALTER TABLE; keeps the spellings that cannot be derived back in a
--          reversal table, from which triggers remove those of deleted rows; gives each function of a trigger to its
--          table's owner, with whose rights it runs
-- locks:   ACCESS EXCLUSIVE on provider_quotas until it is done; gives up after 200 ms when it cannot have it
-- cost:    rewrites each table and its indexes once; up to 1 GB of memory for an index
-- undo:    the same again in the other direction, byte for byte
-- depends: 0062_check_provider_quota

CALL trueup.fix_transaction();
SET LOCAL lock_timeout = '200ms';
-- The window is as long as its index builds, and these are the faster the less they spill to disk.
SET LOCAL maintenance_work_mem = '1GB';
SET LOCAL max_parallel_maintenance_workers = 4;
-- Few rows are copied, which the planner cannot know: it is to read in parallel.
SET LOCAL parallel_tuple_cost = 0;

LOCK TABLE public.provider_quotas IN ACCESS EXCLUSIVE MODE;

CALL trueup.require_same('public.provider_quotas', ARRAY[
    'column id NOT NULL', 'column provider NOT NULL', 'column daily_token_limit', 'column monthly_token_limit',
    'column daily_cost_limit', 'column monthly_cost_limit', 'column daily_tokens_used NOT NULL',
    'column monthly_tokens_used NOT NULL', 'column daily_cost_used NOT NULL', 'column monthly_cost_used NOT NULL',
    'column daily_reset_at', 'column monthly_reset_at', 'column created_at NOT NULL DEFAULT',
    'column updated_at NOT NULL DEFAULT', 'primary key provider_quotas_pkey (id)',
    'index provider_quotas_provider_idx USING btree (provider)'
]);

-- The spellings that cannot be derived back.
CREATE TABLE trueup.provider_quota_reversal AS
SELECT id AS id__old, id::uuid AS id, provider AS provider__old, upper(provider COLLATE "C") AS provider
FROM public.provider_quotas
WHERE
    id IS DISTINCT FROM id::uuid::text
    OR provider IS DISTINCT FROM lower(provider COLLATE "C");
CALL trueup.keep_spellings('trueup.provider_quota_reversal', 'public.provider_quotas');
ALTER TABLE trueup.provider_quota_reversal ADD PRIMARY KEY (id);

-- One rewrite of provider_quotas; every index is built once.
ALTER TABLE public.provider_quotas
    ALTER COLUMN id TYPE uuid USING id::uuid,
    ALTER COLUMN provider TYPE varchar(50) USING upper(provider COLLATE "C"),
    ADD CONSTRAINT provider_quota_provider_check CHECK (provider IN ('OPENAI', 'ANTHROPIC', 'OLLAMA', 'CUSTOM'));

ALTER TABLE public.provider_quotas RENAME TO provider_quota;

ALTER INDEX public.provider_quotas_pkey RENAME TO provider_quota_pkey;
ALTER INDEX public.provider_quotas_provider_idx RENAME TO provider_quota_provider_idx;
CALL trueup.rename_not_nulls('public.provider_quota', 'provider_quota', ARRAY[
    'id', 'provider', 'daily_tokens_used', 'monthly_tokens_used', 'daily_cost_used', 'monthly_cost_used', 'created_at',
    'updated_at'
]::name[]);

-- Forgets the old spellings of a row that is deleted.
CREATE FUNCTION trueup.provider_quota_forget()
-- Whoever deletes a row need not be allowed to read old spellings.
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = on AS $$
BEGIN
    PERFORM (SELECT pg_get_userbyid(c.relowner) = current_user FROM pg_class AS c WHERE c.oid = TG_RELID) OR trueup.is_own(TG_RELID);
    IF TG_OP = 'TRUNCATE' THEN
        DELETE FROM trueup.provider_quota_reversal;
    ELSE
        DELETE FROM trueup.provider_quota_reversal AS r WHERE r.id = OLD.id;
    END IF;
    RETURN NULL;
EXCEPTION
    WHEN undefined_table OR insufficient_privilege THEN
        RETURN NULL; -- none are kept yet, or no more; or the table has got another owner
END
$$;
CALL trueup.hand_over('public.provider_quota', 'provider_quota_forget');
CREATE TRIGGER zz_trueup_forget AFTER DELETE ON public.provider_quota
FOR EACH ROW EXECUTE FUNCTION trueup.provider_quota_forget();
CREATE TRIGGER zz_trueup_forget_all AFTER TRUNCATE ON public.provider_quota
EXECUTE FUNCTION trueup.provider_quota_forget();
