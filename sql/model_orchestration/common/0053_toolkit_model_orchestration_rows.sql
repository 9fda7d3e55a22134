-- Stop a file at rows that cannot be converted, and name them.
--
-- does:    makes the procedures that read a table once and tell column, value, how many rows, and
--          the query that shows them; touches no table of the service
-- locks:   only what it creates
-- cost:    none
-- undo:    drops what it made, unless files of another unit of tables, of the other strategy or of
--          another service still call it
-- depends: 0052_toolkit_model_orchestration_guard

SET LOCAL search_path = pg_catalog;
CALL trueup.fix_settings();

-- Whether uuid's own input function takes the text.
CREATE OR REPLACE FUNCTION trueup.is_uuid(value text)
RETURNS boolean
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT value COLLATE "C" ~* '^([0-9a-f]{4}-?){7}[0-9a-f]{4}$|^\{([0-9a-f]{4}-?){7}[0-9a-f]{4}\}$'
$$;

-- Stops the file when a table holds rows that meet a condition, and says which.
CREATE OR REPLACE PROCEDURE trueup.refuse_rows(
    relation text,
    column_name text,
    condition text,
    reason text
)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
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
            USING
                ERRCODE = 'check_violation',
                HINT = format('See them with: SELECT * FROM %s WHERE %s;', relation, condition);
    END IF;
END
$$;

-- Stops the file when a table holds what is no uuid, two texts that are one uuid, or a row that meets
-- the condition of a rule: [column, condition, reason]. It reads the table once for all of
-- them; only when something is wrong is it read again, to say which rows.
CREATE OR REPLACE PROCEDURE trueup.require_clean(
    relation text,
    rules text[],
    uuids text[] DEFAULT '{}',
    keys text[] DEFAULT '{}'
)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    conditions text[] := '{}';
    found boolean[];
    uuid_column text;
BEGIN
    IF row_security_active(relation) THEN
        RAISE EXCEPTION '%: row security hides rows from %', relation, current_user
            USING
                ERRCODE = 'insufficient_privilege',
                HINT = format('Migrate as a role that sees all: ALTER ROLE %I BYPASSRLS;', current_user);
    END IF;
    IF EXISTS (
        SELECT FROM pg_subscription_rel AS s
        WHERE s.srrelid = relation::regclass
            OR s.srrelid IN (SELECT p.relid FROM pg_partition_tree(relation::regclass) AS p)
    ) THEN
        RAISE EXCEPTION '%: a subscription fills it, and what arrives fires no trigger', relation
            USING
                ERRCODE = 'object_not_in_prerequisite_state',
                HINT = 'Convert the publisher alone and copy anew from there, or end the '
                    'subscription first: DROP SUBSCRIPTION.';
    END IF;

    FOREACH uuid_column IN ARRAY uuids LOOP
        -- Of a key it matters whether it is spelled as uuid prints it, of others that the cast works.
        conditions := conditions || format(
            CASE WHEN uuid_column = ANY (keys)
                THEN '%1$I::text::uuid::text <> %1$I::text' ELSE '%1$I::text::uuid IS NULL'
            END,
            uuid_column
        );
    END LOOP;
    FOR number IN 1 .. coalesce(array_length(rules, 1), 0) LOOP
        conditions := conditions || rules[number][2];
    END LOOP;

    BEGIN
        EXECUTE format(
            'SELECT ARRAY[bool_or(%s)] FROM %s', array_to_string(conditions, '), bool_or('), relation
        )
        INTO found;
    EXCEPTION
        WHEN data_exception THEN
            -- A cast is ten times as fast as a pattern; the pattern finds the rows when it fails.
            FOREACH uuid_column IN ARRAY uuids LOOP
                CALL trueup.refuse_rows(
                    relation, uuid_column, format('NOT trueup.is_uuid(%I)', uuid_column),
                    'is not a uuid'
                );
            END LOOP;
            -- A rule may keep what a later one stumbles over from it.
            FOR number IN 1 .. coalesce(array_length(rules, 1), 0) LOOP
                CALL trueup.refuse_rows(
                    relation, rules[number][1], rules[number][2], rules[number][3]
                );
            END LOOP;
            RAISE;
    END;

    FOR place IN 1 .. cardinality(uuids) LOOP
        uuid_column := uuids[place];
        -- Unique texts can only be one uuid when one of them is not spelled as uuid prints it.
        IF found[place] AND uuid_column = ANY (keys) THEN
            CALL trueup.refuse_rows(
                relation,
                uuid_column,
                format(
                    '%1$I::text::uuid IN (SELECT %1$I::text::uuid FROM %2$s GROUP BY 1 HAVING count(*) > 1)',
                    uuid_column, relation
                ),
                'is the same uuid as another row'
            );
        END IF;
    END LOOP;
    FOR number IN 1 .. coalesce(array_length(rules, 1), 0) LOOP
        IF found[cardinality(uuids) + number] THEN
            CALL trueup.refuse_rows(relation, rules[number][1], rules[number][2], rules[number][3]);
        END IF;
    END LOOP;
END
$$;

-- Clients call none of these.
CALL trueup.keep_private(
    'is_uuid', 'refuse_rows', 'require_clean'
);
