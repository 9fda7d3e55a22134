-- Keep owners, grants and keys right while both contracts live.
--
-- does:    makes what copies owners and grants from one side to the other, with a table of those that both had, orders
--          two inserts of one key and locks several tables; what fills columns in batches, with a table of how far it
--          is; touches no table of the service
-- locks:   only what it creates
-- cost:    none
-- undo:    nothing to undo: it goes with the first file of the toolkit
-- depends: 0051_toolkit_model_orchestration_common

CALL trueup.fix_transaction();

-- The grants of two relations, or of two sides of a column, when they were made the same: what
-- differs later was changed on that one, and is carried over to the other.
CREATE TABLE IF NOT EXISTS trueup.grants (
    relation regclass, -- in a dump a name, and so the same after it is restored
    column_name name,
    acl aclitem[],
    PRIMARY KEY (relation, column_name)
);

-- Gives a relation the owner and the grants of another one, a view its row security too, and each column those of
-- its namesake; or, as a pair says, of another column. With one relation on both sides only the pairs count, in its
-- partitions too. With `since`, it only carries over what was granted and revoked on the source since that was given
-- the same.
CREATE OR REPLACE PROCEDURE trueup.give_grants(
    target regclass, source regclass, columns text[] DEFAULT '{}', since boolean DEFAULT false
)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    statement text;
    given record;
BEGIN
    FOR given IN
        SELECT t.relnamespace AS schema, t.relowner AS had, o.relowner AS owner, t.relkind = 'v' AND o.relrowsecurity AS secured
        FROM pg_class AS t JOIN pg_class AS o ON o.oid = source
        WHERE t.oid = target AND NOT since
    LOOP
        IF given.had <> given.owner THEN
            CALL trueup.give_to(format('TABLE %s', target), given.schema, given.owner);
        END IF;
        IF given.secured AND current_setting('server_version_num')::integer >= 150000 THEN
            EXECUTE format('ALTER VIEW %s SET (security_invoker = true)', target);
        END IF;
    END LOOP;

    FOR statement IN
        WITH relations (place, origin) AS (
            SELECT target, source
            UNION
            SELECT p.relid, p.relid FROM pg_partition_tree(target) AS p WHERE target = source AND NOT since
        ),
        places (place, on_column, has, gives, gave) AS (
            SELECT r.place, '', p.relacl, o.relacl, g.acl
            FROM relations AS r
            JOIN pg_class AS p ON p.oid = r.place
            JOIN pg_class AS o ON o.oid = r.origin
            LEFT JOIN trueup.grants AS g ON g.relation = r.origin AND g.column_name = ''
            WHERE r.place <> r.origin
            UNION ALL
            SELECT r.place, format(' (%I)', p.attname), p.attacl, o.attacl, g.acl
            FROM relations AS r
            JOIN pg_attribute AS p ON p.attrelid = r.place AND p.attnum > 0 AND NOT p.attisdropped
            LEFT JOIN generate_subscripts(columns, 1) AS n (pair) ON columns[n.pair][1] = p.attname
            JOIN pg_attribute AS o
                ON o.attrelid = r.origin AND NOT o.attisdropped AND o.attname = coalesce(columns[n.pair][2], p.attname)
            LEFT JOIN trueup.grants AS g ON g.relation = r.origin AND g.column_name = o.attname
            WHERE r.place <> r.origin OR n.pair IS NOT NULL
        ),
        was AS (
            SELECT p.place, p.on_column, a.grantee, a.privilege_type, a.is_grantable
            -- What the target has by default privileges, or of old, goes.
            FROM places AS p CROSS JOIN LATERAL aclexplode(CASE WHEN since THEN p.gave ELSE p.has END) AS a
        ),
        now AS (
            SELECT p.place, p.on_column, a.grantee, a.privilege_type, a.is_grantable
            FROM places AS p CROSS JOIN LATERAL aclexplode(p.gives) AS a
        ),
        gone AS (
            TABLE was EXCEPT TABLE now
        ),
        changed AS (
            SELECT 'REVOKE' AS verb, g.* FROM gone AS g
            UNION ALL
            SELECT 'GRANT', n.* FROM now AS n
            WHERE NOT since
                OR (n.place, n.on_column, n.grantee, n.privilege_type, n.is_grantable) NOT IN (TABLE was)
                -- Who may have got it from a role that loses it.
                OR EXISTS (
                    SELECT FROM gone AS g
                    WHERE g.privilege_type = n.privilege_type AND g.on_column IN ('', n.on_column)
                )
        )
        SELECT concat_ws(
            ' ', c.verb, c.privilege_type || c.on_column, 'ON', c.place::regclass,
            CASE c.verb WHEN 'GRANT' THEN 'TO' ELSE 'FROM' END, coalesce(quote_ident(r.rolname), 'PUBLIC'),
            CASE WHEN c.verb = 'REVOKE' THEN 'CASCADE' WHEN c.is_grantable THEN 'WITH GRANT OPTION' END
        )
        FROM changed AS c
        JOIN pg_class AS t ON t.oid = c.place
        LEFT JOIN pg_roles AS r ON r.oid = c.grantee
        WHERE c.grantee <> t.relowner AND (c.grantee = 0 OR r.oid IS NOT NULL)
        ORDER BY c.verb DESC
    LOOP
        EXECUTE statement;
    END LOOP;

    DELETE FROM trueup.grants AS g WHERE g.relation = CASE WHEN since THEN source ELSE target END;
    IF NOT since THEN
        INSERT INTO trueup.grants (relation, column_name, acl)
        SELECT c.oid, '', c.relacl FROM pg_class AS c WHERE c.oid = target
        UNION ALL
        SELECT a.attrelid, a.attname, a.attacl FROM pg_attribute AS a WHERE a.attrelid = target AND a.attnum > 0;
    END IF;
END
$$;

-- Stops the file when a function takes or gives whole rows of a table: of two contracts, one has it as a view,
-- whose rows are of another type.
CREATE OR REPLACE PROCEDURE trueup.require_no_functions(relation regclass)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    names text;
BEGIN
    SELECT string_agg(DISTINCT d.objid::regprocedure::text, ', ') INTO names
    FROM pg_class AS c
    JOIN pg_type AS t ON t.oid = c.reltype
    JOIN pg_depend AS d ON d.refclassid = 'pg_type'::regclass AND d.refobjid IN (t.oid, t.typarray)
    WHERE c.oid = relation AND d.classid = 'pg_proc'::regclass;
    IF names IS NOT NULL THEN
        RAISE EXCEPTION '%: its rows are taken or given whole by %', relation, names
            USING ERRCODE = 'object_not_in_prerequisite_state',
                HINT = 'Let it take the columns that it needs, or convert the table by the window strategy.';
    END IF;
END
$$;

-- Locks tables that clients lock in any order: it waits for one only while it holds no other, first for
-- the one that was not free the last time.
CREATE OR REPLACE PROCEDURE trueup.lock_tables(mode text, VARIADIC tables regclass[])
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    busy regclass := tables[1];
    waits boolean;
    one regclass;
BEGIN
    FOR attempt IN 1 .. 20 LOOP
        BEGIN
            waits := true;
            EXECUTE format('LOCK TABLE %s IN %s MODE', busy, mode);
            waits := false;
            FOREACH one IN ARRAY tables LOOP
                busy := one;
                EXECUTE format('LOCK TABLE %s IN %s MODE NOWAIT', busy, mode);
            END LOOP;
            RETURN;
        EXCEPTION
            WHEN lock_not_available THEN
                IF waits OR attempt = 20 THEN
                    RAISE;
                END IF;
        END;
    END LOOP;
END
$$;

-- Lets those who insert one key do so one after the other. While two unique indexes guard a key,
-- ON CONFLICT watches only one of them, and two sessions at the same moment could meet in the other.
-- A transaction takes at most 50 such locks, so that a bulk load does not fill the lock table.
CREATE OR REPLACE FUNCTION trueup.hold_key(key text, relation oid)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    held constant integer := coalesce(nullif(current_setting('trueup.keys_held', true), ''), '0');
BEGIN
    IF held < 50 THEN
        PERFORM set_config('trueup.keys_held', (held + 1)::text, true);
        PERFORM pg_advisory_xact_lock(hashtextextended(key, relation::bigint));
    END IF;
END
$$;

-- Where contract was broken off before it came to an index, its rollback comes without it: builds the
-- index of a small table, and refuses a large one, which it would hold up.
CREATE OR REPLACE PROCEDURE trueup.require_index(relation text, index name, method text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF to_regclass(relation) IS NULL -- a partition that is gone
        OR EXISTS (
            SELECT FROM pg_index AS x
            JOIN pg_class AS i ON i.oid = x.indexrelid
            WHERE x.indrelid = to_regclass(relation) AND x.indisvalid AND i.relname = index
        )
    THEN
        RETURN;
    END IF;
    IF pg_relation_size(relation::regclass) > 1000 * current_setting('block_size')::bigint THEN
        RAISE EXCEPTION '% has no index % yet', relation, index
            USING ERRCODE = 'object_not_in_prerequisite_state',
                HINT = format(
                    'Build it first: CREATE UNIQUE INDEX CONCURRENTLY %I ON %s %s;',
                    index, relation, method
                );
    END IF;
    EXECUTE format('CREATE UNIQUE INDEX %I ON %s %s', index, relation, method);
END
$$;

-- How far each backfill is; for people and for `trueup status`.
CREATE TABLE IF NOT EXISTS trueup.progress (
    file text PRIMARY KEY,
    table_name text NOT NULL,
    rows_done bigint NOT NULL,
    page bigint NOT NULL,
    pages bigint NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- The service's own triggers that an UPDATE of columns they do not know would fire.
CREATE OR REPLACE FUNCTION trueup.woken_triggers(relation regclass, written text[] DEFAULT '{}')
RETURNS TABLE (name name, enabled "char")
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT t.tgname, t.tgenabled
    FROM pg_trigger AS t
    JOIN pg_proc AS p ON p.oid = t.tgfoid
    WHERE t.tgrelid = relation AND NOT t.tgisinternal AND t.tgenabled <> 'D'
        AND t.tgtype & 16 <> 0
        -- A function's owner may have let it run with the rights of who writes.
        AND NOT (p.pronamespace = 'trueup'::regnamespace AND p.prosecdef)
        AND (t.tgattr::text = '' OR EXISTS (
            SELECT FROM pg_attribute AS a
            WHERE a.attrelid = t.tgrelid AND a.attnum = ANY (t.tgattr::int2[]) AND a.attname = ANY (written)
        ))
$$;

-- Fills columns of the rows that were there before, $1 of an UPDATE, in batches of as many rows as 80 pages hold,
-- with a COMMIT each. It waits for no client: a row that one holds is passed over, and come back to. It can be
-- stopped and called again. What commits can have no SET clause: each transaction sets the search_path itself.
CREATE OR REPLACE PROCEDURE trueup.fill_rows(
    file text,
    relation regclass,
    unfilled text, -- a condition
    fill text,
    statistics text,
    proof text DEFAULT NULL,
    listed text[] DEFAULT '{}', -- those of the columns that triggers of UPDATE OF name
    path name[] DEFAULT '{}'
)
LANGUAGE plpgsql
AS $$
#variable_conflict use_column
DECLARE
    batch_pages bigint := 80;
    batches text;
    batch record;
    hold text;
    held record;
    -- What a run of trueup asks of its sessions: to walk some of the pages, in smaller batches; or only to come
    -- back to what such walks left.
    asked text[];
    is_part boolean := false;
    loud_triggers text;
    has_triggers boolean;
    pages bigint;
    page bigint := 0;
    page_end bigint;
    stretch_end bigint;
    tries integer;
    filled bigint;
    -- What the walk left; unknown before it is over.
    rows_left bigint;
    fewest_left bigint;
    give_up timestamptz;
    holders text;
BEGIN
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog', true);
    CALL trueup.require_settings(path);
    pages := pg_relation_size(relation) / current_setting('block_size')::bigint;
    page_end := pages;
    asked := string_to_array(current_setting('trueup.walk', true), ' ');
    IF asked[1] = pg_backend_pid()::text THEN
        is_part := cardinality(asked) > 1;
        page := coalesce(asked[2]::bigint, pages);
        page_end := coalesce(asked[3]::bigint, pages);
        batch_pages := least(batch_pages, asked[4]::bigint);
    END IF;
    -- Pages are full. The first eighth of a stretch's rows leaves its pages; the next ones then find room on theirs,
    -- which spares the indexes, and each frees the room for the next. Each goes over the whole stretch, in two
    -- batches: then no snapshot needs any more what the one before left behind.
    batches := format(
        'SELECT array_agg(place) AS places, min(place) AS first, max(place) AS last '
        'FROM (SELECT ctid, row_number() OVER (), count(*) OVER () FROM %s '
        'WHERE ctid >= $1 AND ctid < $2 AND (%s)) AS r (place, number, rows) '
        'GROUP BY number %% 8, 2 * number / (rows + 1) ORDER BY number %% 8, 2 * number / (rows + 1)',
        relation, unfilled
    );
    -- What frees the room is that a page is read. A row that a client has moved meanwhile is filled.
    hold := format(
        'SELECT (SELECT count(*) FROM %1$s WHERE ctid BETWEEN $2 AND $3) AS rows_read, '
        'ARRAY(SELECT ctid FROM %1$s WHERE ctid = ANY ($1) AND (%2$s) FOR NO KEY UPDATE SKIP LOCKED) AS places',
        relation, unfilled
    );
    LOOP
        COMMIT;
        SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
        CALL trueup.fix_transaction();
        -- Who waits for a table to read it is in nobody's way.
        PERFORM set_config('lock_timeout', '0', true);
        IF page >= page_end THEN
            IF is_part THEN
                RETURN;
            END IF;
            -- Later rows were filled by the trigger, so clients held what is left: come back to it.
            EXECUTE format(
                'SELECT (min(ctid)::text::point)[0], (max(ctid)::text::point)[0] + 1, count(*) FROM %s WHERE %s',
                relation, unfilled
            )
            INTO page, page_end, rows_left;
            EXIT WHEN rows_left = 0;
            IF fewest_left IS NULL OR rows_left < fewest_left THEN
                fewest_left := rows_left;
                give_up := clock_timestamp() + interval '10 s';
            ELSIF clock_timestamp() > give_up THEN
                EXECUTE format(
                    'SELECT string_agg(DISTINCT coalesce(''process '' || pid, ''a prepared transaction''), '', '') '
                    'FROM pg_locks WHERE transactionid IN (SELECT xmax FROM %s WHERE %s)',
                    relation, unfilled
                )
                INTO holders;
                RAISE EXCEPTION '%: all rows are converted but %, held by %',
                    relation, rows_left, coalesce(holders, 'other transactions')
                    USING ERRCODE = 'lock_not_available';
            END IF;
            PERFORM pg_sleep(0.1 * (1 + random()));
        END IF;

        stretch_end := least(page + 16 * batch_pages, page_end);
        FOR batch IN EXECUTE batches USING format('(%s,0)', page)::tid, format('(%s,0)', stretch_end)::tid LOOP
            tries := 0;
            LOOP
                COMMIT;
                SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
                CALL trueup.fix_transaction();
                -- Giving up rather than a client in a deadlock.
                PERFORM set_config('lock_timeout', '200ms', true);
                -- A crash may lose the last batches, not the record that all of them are done.
                PERFORM set_config('synchronous_commit', 'off', true);
                -- To read a small table through looks cheaper than to fetch each row, and each batch would.
                PERFORM set_config('enable_seqscan', 'off', true);
                BEGIN
                    -- As the UPDATE will; from here on nobody can make a trigger that it would fire.
                    EXECUTE format('LOCK TABLE %s IN ROW EXCLUSIVE MODE', relation);
                    -- The service's own triggers are not to see it: they would stamp or log every row.
                    SELECT string_agg(name, ', ') FILTER (WHERE enabled <> 'O'), count(*) > 0
                    INTO loud_triggers, has_triggers
                    FROM trueup.woken_triggers(relation, listed);
                    IF loud_triggers IS NOT NULL THEN
                        RAISE EXCEPTION '%: the backfill would fire %, which is enabled as ALWAYS or REPLICA',
                            relation, loud_triggers
                            USING HINT = 'Disable it until the backfill is done.';
                    ELSIF has_triggers THEN
                        PERFORM set_config('session_replication_role', 'replica', true);
                    END IF;
                    EXECUTE hold INTO held USING batch.places, batch.first, batch.last;
                    EXECUTE fill USING held.places;
                    GET DIAGNOSTICS filled = ROW_COUNT;
                    EXIT;
                EXCEPTION
                    WHEN lock_not_available OR deadlock_detected THEN
                        tries := tries + 1;
                        IF tries > 100 THEN
                            RAISE;
                        END IF;
                END;
                -- Somebody holds the table: come again.
                PERFORM pg_sleep(0.05 * (1 + random()));
            END LOOP;
            IF filled < cardinality(held.places) THEN
                RAISE EXCEPTION '%: rows are left that the backfill could not convert', relation
                    USING HINT = format(
                        'A rule or a trigger may have silenced the UPDATE. See them with: SELECT * FROM %s WHERE %s;',
                        relation, unfilled
                    );
            END IF;
            CONTINUE WHEN filled = 0;
            INSERT INTO trueup.progress AS p (file, table_name, rows_done, page, pages)
            VALUES (file, relation::text, filled, page, pages)
            ON CONFLICT (file) DO UPDATE
            SET rows_done = p.rows_done + excluded.rows_done, updated_at = clock_timestamp();
        END LOOP;
        page := stretch_end;
        -- Walks in several sessions end in any order; the run says how far all are.
        IF NOT is_part AND rows_left IS NULL THEN
            INSERT INTO trueup.progress AS p (file, table_name, rows_done, page, pages)
            VALUES (file, relation::text, 0, page, pages)
            ON CONFLICT (file) DO UPDATE
            SET page = excluded.page, pages = excluded.pages, updated_at = clock_timestamp();
        END IF;
    END LOOP;

    -- A vacuum gives way within a second or two; clients are not kept waiting meanwhile.
    PERFORM set_config('lock_timeout', '5s', true);
    IF proof IS NOT NULL THEN
        EXECUTE proof;
        COMMIT;
        SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
        CALL trueup.fix_transaction();
        PERFORM set_config('lock_timeout', '5s', true);
    END IF;
    BEGIN
        EXECUTE statistics;
    EXCEPTION
        WHEN lock_not_available THEN
            RAISE WARNING '% was not analyzed: another session keeps it', relation
                USING HINT = format('When it is done: ANALYZE %s;', relation);
    END;
END
$$;

-- Clients call none of these.
CALL trueup.keep_private(
    'grants', 'give_grants', 'require_no_functions', 'lock_tables', 'hold_key', 'require_index', 'progress',
    'woken_triggers', 'fill_rows'
);
-- Any role may call these: they run with the rights of their caller.
GRANT EXECUTE ON ROUTINE trueup.hold_key TO PUBLIC;
