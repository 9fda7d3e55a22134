-- Let one file fit every server.
--
-- does:    makes ; touches no table of the service
-- locks:   only what it creates
-- cost:    none
-- undo:    drops what it made, unless files of another unit of tables, of the other strategy or of
--          another service still call it
-- depends: 0053_toolkit_model_orchestration_rows

SET LOCAL search_path = pg_catalog;
CALL trueup.fix_settings();

-- Names the NOT NULL constraints of some columns after a table, and after the columns without an ending;
-- before PostgreSQL 18 they have none.
CREATE OR REPLACE PROCEDURE trueup.rename_not_nulls(
    relation regclass, table_name text, columns name[], ending text DEFAULT ''
)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
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

-- Clients call none of these.
CALL trueup.keep_private(
    'rename_not_nulls'
);
