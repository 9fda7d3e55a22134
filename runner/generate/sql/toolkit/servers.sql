-- Names the NOT NULL constraints of some columns after a table, and after the columns without an ending;
-- before PostgreSQL 18 they have none.
CREATE OR REPLACE PROCEDURE trueup.rename_not_nulls(
    relation regclass, table_name text, columns name[], ending text DEFAULT ''
)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    item record;
    table_part text;
    column_part text;
    new_name text;
BEGIN
    FOR item IN
        SELECT k.conname AS old_name, a.attname AS column_name
        FROM pg_constraint AS k
        JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
        WHERE k.conrelid = relation AND k.contype = 'n' AND a.attname = ANY (columns)
    LOOP
        -- As PostgreSQL does it: of a name that is too long, the longer part is cut.
        table_part := table_name;
        column_part := regexp_replace(item.column_name, ending || '$', '');
        WHILE octet_length(table_part) + octet_length(column_part) > 53 LOOP
            IF octet_length(table_part) > octet_length(column_part) THEN
                table_part := left(table_part, -1);
            ELSE
                column_part := left(column_part, -1);
            END IF;
        END LOOP;
        new_name := format('%s_%s_not_null', table_part, column_part);

        -- PostgreSQL renames it in the partitions too, where it must have the same name.
        IF NOT EXISTS (
            SELECT FROM pg_constraint AS k WHERE k.conrelid = relation AND k.conname = new_name
        ) AND NOT EXISTS (
            SELECT FROM pg_partition_tree(relation) AS p
            WHERE NOT EXISTS (
                SELECT FROM pg_constraint AS k
                WHERE k.conrelid = p.relid AND k.contype = 'n' AND k.conname = item.old_name
            )
        ) THEN
            EXECUTE format(
                'ALTER TABLE %s RENAME CONSTRAINT %I TO %I', relation, item.old_name, new_name
            );
        END IF;
    END LOOP;
END
$$;

-- Gives the NOT NULL constraint of a column a name and a comment of its own, where there is one.
CREATE OR REPLACE PROCEDURE trueup.name_not_null(relation regclass, column_name name, wanted name, note text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    named name;
    other oid;
BEGIN
    SELECT k.conname INTO named
    FROM pg_constraint AS k
    JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
    WHERE k.conrelid = relation AND k.contype = 'n' AND a.attname = column_name;
    IF named IS NULL THEN
        RETURN;
    END IF;
    IF named <> wanted THEN
        -- Another column's may have it until it gets its own.
        SELECT k.oid INTO other
        FROM pg_constraint AS k
        WHERE k.conrelid = relation AND k.contype = 'n' AND k.conname = wanted;
        IF other IS NOT NULL THEN
            EXECUTE format(
                'ALTER TABLE %s RENAME CONSTRAINT %I TO %I', relation, wanted, 'trueup_' || other
            );
        END IF;
        EXECUTE format('ALTER TABLE %s RENAME CONSTRAINT %I TO %I', relation, named, wanted);
    END IF;
    EXECUTE format('COMMENT ON CONSTRAINT %I ON %s IS %L', wanted, relation, note);
END
$$;

-- Runs a statement about a partition, unless the partition has been dropped in the meantime.
CREATE OR REPLACE PROCEDURE trueup.if_there(partition_name text, statement text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF to_regclass(partition_name) IS NOT NULL THEN
        EXECUTE statement;
    END IF;
END
$$;
