-- Keeps the service's own triggers from firing while values are put back, row security from hiding
-- rows, and foreign keys that were never validated from refusing them.
CREATE OR REPLACE PROCEDURE trueup.silence_triggers(relation regclass)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    aside text[] := '{}';
    silenced record;
    unproven record;
    unidentified record;
BEGIN
    FOR silenced IN
        SELECT
            t.tgname,
            CASE t.tgenabled WHEN 'R' THEN 'REPLICA ' WHEN 'A' THEN 'ALWAYS ' ELSE '' END AS mode
        FROM pg_trigger AS t
        WHERE t.tgrelid = relation AND NOT t.tgisinternal AND t.tgenabled <> 'D'
    LOOP
        EXECUTE format('ALTER TABLE %s DISABLE TRIGGER %I', relation, silenced.tgname);
        aside := aside || format(
            'ALTER TABLE %s ENABLE %sTRIGGER %I', relation, silenced.mode, silenced.tgname
        );
    END LOOP;
    IF EXISTS (SELECT FROM pg_class AS c WHERE c.oid = relation AND c.relforcerowsecurity) THEN
        EXECUTE format('ALTER TABLE %s NO FORCE ROW LEVEL SECURITY', relation);
        aside := aside || format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', relation);
    END IF;

    -- A publication refuses the UPDATE of a table that nothing identifies the rows of, which is so
    -- while its key is made again. An index that stood for the key gets its place back by name.
    -- Each partition has an identity of its own.
    FOR unidentified IN
        SELECT c.oid::regclass AS part, c.relreplident AS identity
        FROM pg_class AS c
        WHERE (
                c.oid = relation
                OR c.oid IN (SELECT p.relid FROM pg_partition_tree(relation) AS p WHERE p.isleaf)
            )
            AND c.relreplident IN ('d', 'n', 'i')
            AND NOT EXISTS (
                SELECT FROM pg_index AS i
                WHERE i.indrelid = c.oid
                    AND i.indimmediate
                    AND CASE c.relreplident WHEN 'd' THEN i.indisprimary ELSE i.indisreplident END
            )
    LOOP
        EXECUTE format('ALTER TABLE %s REPLICA IDENTITY FULL', unidentified.part);
        IF unidentified.identity IN ('d', 'n') THEN
            aside := aside || format(
                'ALTER TABLE %s REPLICA IDENTITY %s',
                unidentified.part,
                CASE unidentified.identity WHEN 'd' THEN 'DEFAULT' ELSE 'NOTHING' END
            );
        END IF;
    END LOOP;

    FOR unproven IN
        SELECT
            k.conname,
            pg_get_constraintdef(k.oid) AS definition,
            obj_description(k.oid, 'pg_constraint') AS note
        FROM pg_constraint AS k
        WHERE k.conrelid = relation
            AND k.contype = 'f'
            AND NOT k.convalidated
            AND k.conparentid = 0
    LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', relation, unproven.conname);
        aside := aside || format(
            'ALTER TABLE %1$s ADD CONSTRAINT %2$I %3$s;'
            'COMMENT ON CONSTRAINT %2$I ON %1$s IS %4$L',
            relation, unproven.conname, unproven.definition, unproven.note
        );
    END LOOP;

    -- Until the end of the transaction; a role need not be allowed a temporary table.
    PERFORM set_config('trueup.aside_' || relation::oid, aside::text, true);
END
$$;

-- Makes again what was set aside, and lets silenced triggers fire again.
CREATE OR REPLACE PROCEDURE trueup.put_back(relation regclass)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    statement text;
BEGIN
    FOREACH statement IN ARRAY current_setting('trueup.aside_' || relation::oid)::text[] LOOP
        EXECUTE statement;
    END LOOP;
END
$$;
