-- Takes away what default privileges gave on a relation that was made just now.
CREATE OR REPLACE PROCEDURE trueup.revoke_all(relation regclass)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    granted record;
BEGIN
    FOR granted IN
        SELECT DISTINCT coalesce(nullif(acl.grantee, 0)::regrole::text, 'PUBLIC') AS grantee
        FROM pg_class AS c
        CROSS JOIN LATERAL aclexplode(c.relacl) AS acl
        WHERE c.oid = relation AND acl.grantee <> c.relowner
    LOOP
        EXECUTE format('REVOKE ALL ON %s FROM %s', relation, granted.grantee);
    END LOOP;
END
$$;

-- Stops the file when a view would not show the same under the new contract as now, but for how
-- values are spelled: words are pairs of an old value and what it becomes. Where a query may show
-- other rows each time, they are only counted.
CREATE OR REPLACE PROCEDURE trueup.require_same_view(
    shown text,
    name text,
    words text[] DEFAULT '{}',
    only_counted boolean DEFAULT false
)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    meaning text := 'pg_catalog.translate(pg_catalog.upper(%s::text COLLATE "C"), ''-'', '''')';
    became text := '';
    sides text[] := '{}';
    parts text;
    place text;
    rows_shown bigint[] := '{}';
    sums numeric[] := '{}';
    row_count bigint;
    row_sum numeric;
    samples text;
BEGIN
    FOR number IN 1 .. coalesce(array_length(words, 1), 0) LOOP
        became := became || format(
            ' WHEN %s THEN %s',
            format(meaning, quote_literal(words[number][1])),
            format(meaning, quote_literal(words[number][2]))
        );
    END LOOP;
    FOREACH place IN ARRAY ARRAY['trueup_before', 'trueup_after'] LOOP
        SELECT string_agg(
            CASE
                WHEN only_counted THEN 'NULL'
                -- A sum of floats depends on the order of its rows in its last digits.
                WHEN a.atttypid IN ('pg_catalog.float4'::regtype, 'pg_catalog.float8'::regtype)
                    THEN format('pg_catalog.to_char(%I, ''9.99999EEEE'')', a.attname)
                WHEN became = '' THEN format(meaning, quote_ident(a.attname))
                WHEN t.typcategory IN ('S', 'E') THEN format(
                    'CASE %1$s%2$s ELSE %1$s END', format(meaning, quote_ident(a.attname)), became
                )
                -- A word within another value is not looked for.
                WHEN t.typcategory IN ('A', 'C', 'Z') OR t.typname IN ('json', 'jsonb', 'xml')
                    THEN 'NULL'
                ELSE format(meaning, quote_ident(a.attname))
            END,
            ', ' ORDER BY a.attnum
        )
        INTO parts
        FROM pg_catalog.pg_attribute AS a
        JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
        WHERE a.attrelid = format('%I.%s', place, name)::regclass AND a.attnum > 0;

        sides := sides || format('SELECT ROW(%s)::text AS seen FROM %I.%s', parts, place, name);
        EXECUTE format(
            'SELECT count(*), sum(pg_catalog.hashtextextended(seen, 0)) FROM (%s) AS s',
            sides[cardinality(sides)]
        )
        INTO row_count, row_sum;
        rows_shown := rows_shown || row_count;
        sums := sums || row_sum;
    END LOOP;
    IF rows_shown[1] <> rows_shown[2] THEN
        RAISE EXCEPTION '%: shows % rows now, and would show % under the new contract',
            shown, rows_shown[1], rows_shown[2]
            USING ERRCODE = 'check_violation',
                HINT = 'Drop it before, and make it again for the new contract afterwards.';
    END IF;
    IF sums[1] IS DISTINCT FROM sums[2] THEN
        EXECUTE format(
            'SELECT string_agg(seen, '', '') FROM ((%s EXCEPT ALL %s) LIMIT 3) AS s',
            sides[1], sides[2]
        )
        INTO samples;
        RAISE EXCEPTION '%: would show something else under the new contract than now: not %',
            shown, samples
            USING ERRCODE = 'check_violation',
                DETAIL = 'Values are compared in upper case and without dashes.',
                HINT = 'Drop it before, and make it again for the new contract afterwards.';
    END IF;
END
$$;

-- Stores a materialized view's column as it was, unless its type is another one now that is not
-- stored so.
CREATE OR REPLACE PROCEDURE trueup.store_column(relation regclass, column_name name, storage text, compression text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    alteration text := format('ALTER MATERIALIZED VIEW %s ALTER COLUMN %I ', relation, column_name);
BEGIN
    IF EXISTS (
        SELECT FROM pg_attribute AS a
        JOIN pg_type AS t ON t.oid = a.atttypid
        WHERE a.attrelid = relation AND a.attname = column_name AND t.typstorage <> 'p'
    ) THEN
        EXECUTE alteration || 'SET STORAGE ' || storage;
        IF compression IS NOT NULL THEN
            EXECUTE alteration || 'SET COMPRESSION ' || compression;
        END IF;
    END IF;
END
$$;
