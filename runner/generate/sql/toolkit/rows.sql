{# What stops a file before anything changes: rows, and views of them. #}
{% macro rows() %}
-- Stops the file when it would run what somebody else made, with the rights of who migrates: what tables, their
-- indexes, CHECKs and views come to (functions, views, types, of which their owners may make casts) belongs
-- neither to this role nor to one that could do so anyway (the tables' and the database's owner, a superuser).
CREATE OR REPLACE PROCEDURE trueup.require_own(tables regclass[], columns name[] DEFAULT '{}')
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    stranger record;
BEGIN
    WITH RECURSIVE shown (relation) AS (
        SELECT p.relid::oid FROM unnest(tables) AS t (relation) CROSS JOIN LATERAL (
            SELECT t.relation UNION SELECT relid FROM pg_partition_tree(t.relation)
        ) AS p (relid)
        UNION
        SELECT r.ev_class
        FROM shown AS s
        JOIN pg_depend AS d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = s.relation
        JOIN pg_rewrite AS r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
    ),
    reached (class, id) AS (
        SELECT 'pg_class'::regclass::oid, s.relation FROM shown AS s
        UNION
        SELECT n.class, n.id
        FROM reached AS r
        CROSS JOIN LATERAL (
            SELECT d.refclassid, d.refobjid
            FROM pg_depend AS d
            LEFT JOIN pg_class AS o ON r.class = 'pg_class'::regclass AND o.oid = r.id
            LEFT JOIN pg_attribute AS a ON a.attrelid = o.oid AND a.attnum = d.objsubid AND a.attnum > 0
            LEFT JOIN pg_class AS c ON d.refclassid = 'pg_class'::regclass AND c.oid = d.refobjid
            WHERE d.classid = r.class AND d.objid = r.id AND (
                d.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass)
                OR c.relkind IN ('v', 'm')
                -- Of a table only the columns that are converted are cast.
                OR d.refclassid = 'pg_type'::regclass AND (
                    coalesce(o.relkind NOT IN ('r', 'p', 'f'), true) OR a.attname = ANY (columns)
                )
            )
            UNION ALL
            SELECT 'pg_rewrite'::regclass, w.oid FROM pg_rewrite AS w
            WHERE r.class = 'pg_class'::regclass AND w.ev_class = r.id
            UNION ALL
            SELECT 'pg_class'::regclass, i.indexrelid FROM pg_index AS i
            WHERE r.class = 'pg_class'::regclass AND i.indrelid = r.id
            UNION ALL
            SELECT 'pg_attrdef'::regclass, f.oid
            FROM pg_attrdef AS f
            JOIN pg_attribute AS a ON a.attrelid = f.adrelid AND a.attnum = f.adnum AND a.attgenerated <> ''
            WHERE r.class = 'pg_class'::regclass AND f.adrelid = r.id
            UNION ALL
            SELECT 'pg_constraint'::regclass, k.oid FROM pg_constraint AS k
            WHERE r.class = 'pg_class'::regclass AND k.conrelid = r.id AND k.contype = 'c'
            UNION ALL
            SELECT 'pg_constraint'::regclass, k.oid FROM pg_constraint AS k
            WHERE r.class = 'pg_type'::regclass AND k.contypid = r.id AND k.contype = 'c'
            -- An index calls what its types and operator classes have for it, such as subtype_diff; the
            -- types themselves may be anybody's, and so they go by as 'pg_range'.
            UNION ALL
            SELECT 'pg_range'::regclass, a.atttypid
            FROM pg_index AS i
            JOIN pg_attribute AS a ON a.attrelid IN (i.indexrelid, i.indrelid)
                AND (a.attrelid = i.indexrelid OR a.attnum = ANY (i.indkey::int2[]))
            WHERE r.class = 'pg_class'::regclass AND i.indexrelid = r.id
            UNION ALL
            SELECT CASE d.refclassid WHEN 'pg_type'::regclass THEN 'pg_range'::regclass ELSE d.refclassid END, d.refobjid
            FROM pg_depend AS d
            WHERE r.class = 'pg_range'::regclass AND d.classid = 'pg_type'::regclass AND d.objid = r.id
                AND d.refclassid IN ('pg_type'::regclass, 'pg_proc'::regclass)
            UNION ALL
            SELECT 'pg_proc'::regclass, p.amproc
            FROM pg_depend AS d
            JOIN pg_opclass AS o ON o.oid = d.refobjid
            JOIN pg_amproc AS p ON p.amprocfamily = o.opcfamily
            WHERE r.class = 'pg_class'::regclass AND d.classid = r.class AND d.objid = r.id
                AND d.refclassid = 'pg_opclass'::regclass
        ) AS n (class, id)
    )
    SELECT u.what, o.rolname AS owner
    INTO stranger
    FROM (
        SELECT CASE WHEN c.relkind IN ('v', 'm') THEN 'view ' ELSE 'table ' END || c.oid::regclass AS what, c.relowner AS owner
        FROM reached AS r JOIN pg_class AS c ON r.class = 'pg_class'::regclass AND c.oid = r.id AND c.relkind NOT IN ('i', 'I')
        UNION ALL
        SELECT 'type ' || t.oid::regtype, t.typowner
        FROM reached AS r JOIN pg_type AS t ON r.class = 'pg_type'::regclass AND t.oid = r.id
        UNION ALL
        SELECT 'function ' || p.oid::regprocedure, p.proowner
        FROM reached AS r JOIN pg_proc AS p ON r.class = 'pg_proc'::regclass AND p.oid = r.id
    ) AS u
    JOIN pg_roles AS o ON o.oid = u.owner
    WHERE NOT o.rolsuper
        AND NOT pg_has_role(o.oid, quote_ident(current_user)::regrole, 'MEMBER')
        AND NOT EXISTS (
            SELECT FROM pg_database AS d
            WHERE d.datname = current_database() AND pg_has_role(o.oid, d.datdba, 'MEMBER')
        )
        AND NOT EXISTS (
            SELECT FROM pg_class AS c
            WHERE c.oid = ANY (tables) AND pg_has_role(o.oid, c.relowner, 'MEMBER')
        )
    ORDER BY u.what
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'the % belongs to %, whose code would run with the rights of %',
            stranger.what, stranger.owner, current_user
            USING ERRCODE = 'object_not_in_prerequisite_state',
                HINT = 'Give it to the owner of the table (ALTER ... OWNER TO), or drop what uses it before, '
                    'and make it again afterwards.';
    END IF;
END
$$;

-- Whether uuid's own input function takes the text.
CREATE OR REPLACE FUNCTION trueup.is_uuid(value text)
RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT value COLLATE "C" ~* '^([0-9a-f]{4}-?){7}[0-9a-f]{4}$|^\{([0-9a-f]{4}-?){7}[0-9a-f]{4}\}$'
$$;

-- Stops the file when a table holds rows that meet a condition, and says which.
CREATE OR REPLACE PROCEDURE trueup.refuse_rows(relation text, column_name text, condition text, reason text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    rows_refused bigint;
    samples text;
BEGIN
    EXECUTE format(
        'SELECT sum(rows), string_agg(format(''%%L (%%s rows)'', value, rows), '', '')
            FILTER (WHERE place <= 5)
        FROM (
            SELECT value, count(*) AS rows, row_number() OVER (ORDER BY count(*) DESC, value) AS place
            FROM (SELECT %I::text AS value FROM %s WHERE %s) AS refused
            GROUP BY value
        ) AS counted',
        column_name, relation, condition
    )
    INTO rows_refused, samples;
    IF rows_refused > 0 THEN
        RAISE EXCEPTION '%.%: the value of % rows %: %',
            relation, column_name, rows_refused, reason, samples
            USING ERRCODE = 'check_violation',
                HINT = format('See them with: SELECT * FROM %s WHERE %s;', relation, condition);
    END IF;
END
$$;

-- Stops the file when rows would become the same under a unique index: only where a row is spelled
-- otherwise than the new contract derives it can there be any.
CREATE OR REPLACE PROCEDURE trueup.refuse_twins(relation text, index_name text, respelled text, twins text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    is_respelled boolean;
    rows_refused bigint;
    samples text;
BEGIN
    EXECUTE format('SELECT EXISTS (SELECT FROM %s WHERE %s)', relation, respelled) INTO is_respelled;
    IF NOT is_respelled THEN
        RETURN;
    END IF;
    EXECUTE format(
        'SELECT sum(rows), string_agg(format(''(%%s) (%%s rows)'', pair, rows), ''; '')
            FILTER (WHERE place <= 5)
        FROM (
            SELECT rows, pair, row_number() OVER (ORDER BY rows DESC, pair) AS place FROM (%s) AS twins
        ) AS counted',
        twins
    )
    INTO rows_refused, samples;
    IF rows_refused > 0 THEN
        RAISE EXCEPTION '%: % rows become the same, and % is unique: %',
            relation, rows_refused, quote_ident(index_name), samples
            USING ERRCODE = 'unique_violation',
                HINT = 'Decide which row stays, and point what references the others at it. '
                    || format('See them with: %s;', twins);
    END IF;
END
$$;

-- Stops the file when a table holds what is no uuid, two texts that are one uuid, or a row that meets the
-- condition of a rule: [column, condition, reason]. It reads the table once for all of them; only when
-- something is wrong is it read again, to say which rows.
CREATE OR REPLACE PROCEDURE trueup.require_clean(
    relation text, rules text[], uuids text[] DEFAULT '{}', keys text[] DEFAULT '{}'
)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    -- Of each check the column, what tells fast that there may be such rows, which they are, and why.
    checks text[] := '{}';
    uuid_column text;
    answers boolean[];
BEGIN
    IF row_security_active(relation) THEN
        RAISE EXCEPTION '%: row security hides rows from %', relation, current_user
            USING ERRCODE = 'insufficient_privilege',
                HINT = format('Migrate as a role that sees all: ALTER ROLE %I BYPASSRLS;', current_user);
    END IF;
    IF EXISTS (
        SELECT FROM pg_subscription_rel AS s
        WHERE s.srrelid = relation::regclass
            OR s.srrelid IN (SELECT p.relid FROM pg_partition_tree(relation::regclass) AS p)
    ) THEN
        RAISE EXCEPTION '%: a subscription fills it, and what arrives fires no trigger', relation
            USING ERRCODE = 'object_not_in_prerequisite_state',
                HINT = 'Convert the publisher alone and copy anew from there, or end the '
                    'subscription first: DROP SUBSCRIPTION.';
    END IF;

    FOREACH uuid_column IN ARRAY uuids LOOP
        IF uuid_column = ANY (keys) THEN
            -- Unique texts can only be one uuid when one of them is not spelled as uuid prints it.
            checks := checks || ARRAY[[
                uuid_column,
                format('%1$I::text::uuid::text <> %1$I::text', uuid_column),
                format(
                    '%1$I::text::uuid IN (SELECT %1$I::text::uuid FROM %2$s GROUP BY 1 HAVING count(*) > 1)',
                    uuid_column, relation
                ),
                'is the same uuid as another row'
            ]];
        ELSE -- it only matters that the cast works
            checks := checks || ARRAY[[uuid_column, format('%I::text::uuid IS NULL', uuid_column), 'false', '']];
        END IF;
    END LOOP;
    FOR n IN 1 .. coalesce(array_length(rules, 1), 0) LOOP
        checks := checks || ARRAY[[rules[n][1], rules[n][2], rules[n][2], rules[n][3]]];
    END LOOP;

    BEGIN
        EXECUTE format(
            'SELECT ARRAY[%s] FROM %s',
            (SELECT string_agg(format('bool_or(%s)', checks[n][2]), ', ' ORDER BY n) FROM generate_subscripts(checks, 1) AS n),
            relation
        )
        INTO answers;
    EXCEPTION
        WHEN data_exception THEN
            -- A cast is ten times as fast as a pattern; the pattern finds the rows when it fails.
            FOREACH uuid_column IN ARRAY uuids LOOP
                CALL trueup.refuse_rows(
                    relation, uuid_column, format('NOT trueup.is_uuid(%I)', uuid_column), 'is not a uuid'
                );
            END LOOP;
            -- A rule may keep what a later one stumbles over from it.
            FOR n IN 1 .. coalesce(array_length(rules, 1), 0) LOOP
                CALL trueup.refuse_rows(relation, rules[n][1], rules[n][2], rules[n][3]);
            END LOOP;
            RAISE;
    END;
    FOR n IN 1 .. cardinality(answers) LOOP
        IF answers[n] THEN
            CALL trueup.refuse_rows(relation, checks[n][1], checks[n][3], checks[n][4]);
        END IF;
    END LOOP;
END
$$;

-- Stops the file when a native enum has other labels here than where the file was written, or has them
-- in another order: values are converted by their labels.
CREATE OR REPLACE PROCEDURE trueup.require_labels(relation text, column_name name, labels text[])
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    labelled constant text[] := ARRAY(
        SELECT e.enumlabel::text
        FROM pg_attribute AS a
        JOIN pg_type AS t ON t.oid = a.atttypid
        LEFT JOIN pg_type AS b ON b.oid = t.typbasetype
        JOIN pg_enum AS e ON e.enumtypid IN (t.oid, t.typelem, b.oid, b.typelem)
        WHERE a.attrelid = relation::regclass AND a.attname = column_name
        ORDER BY e.enumsortorder
    );
BEGIN
    IF labelled <> labels THEN
        RAISE EXCEPTION '%.%: has the labels %, and this file is for %',
            relation, column_name, labelled, labels
            USING ERRCODE = 'object_not_in_prerequisite_state',
                HINT = 'Rename the labels (ALTER TYPE ... RENAME VALUE), or generate files for this database.';
    END IF;
END
$$;
{% endmacro %}

{% macro views() %}
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
{% endmacro %}
