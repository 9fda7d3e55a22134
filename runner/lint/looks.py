"""Which rules look at what; `python -m runner.lint.docs docs` writes it."""

LOOKS: dict[str, str] = {
    "AddColumn": """
        add-column-generated add-column-not-null add-column-serial add-column-volatile-default
        add-primary-key already-there check-not-valid column-type foreign-key-not-valid identifier
        lock-after-long-work missing-lock-timeout not-enforced not-immutable not-there
        several-tables-locked
    """,
    "AddConstraint": """
        add-primary-key already-there check-dirty-rows check-not-valid exclusion-constraint
        foreign-key-not-valid identifier lock-after-long-work missing-lock-timeout not-enforced
        not-immutable not-there primary-key-nullable several-tables-locked
    """,
    "AddIdentity": """
        lock-after-long-work missing-lock-timeout several-tables-locked
    """,
    "AddInherit": """
        inheritance lock-after-long-work missing-lock-timeout several-tables-locked
    """,
    "AddOf": """
        lock-after-long-work missing-lock-timeout several-tables-locked
    """,
    "AlterColumnType": """
        alter-column-type key-type-without-references lock-after-long-work missing-lock-timeout
        not-there several-tables-locked used-by-view
    """,
    "AlterConstraint": """
        lock-after-long-work missing-lock-timeout not-enforced several-tables-locked
    """,
    "AlterDatabaseSet": """
        server-settings
    """,
    "AlterDefaultPrivileges": """
        grant-to-public
    """,
    "AlterDomain": """
        domain-constraint
    """,
    "AlterEnum": """
        enum-change enum-value-used
    """,
    "AlterExtension": """
        hidden-ddl
    """,
    "AlterFunction": """
        security-definer
    """,
    "AlterPolicy": """
        lock-after-long-work missing-lock-timeout row-security several-tables-locked
    """,
    "AlterPublication": """
        drop-object
    """,
    "AlterRole": """
        role-change
    """,
    "AlterRoleSet": """
        server-settings
    """,
    "AlterSeq": """
        sequence-reset
    """,
    "AlterSystem": """
        concurrently-in-transaction server-settings
    """,
    "AlterTableMoveAll": """
        rewrite-storage
    """,
    "AttachPartition": """
        attach-partition lock-after-long-work missing-lock-timeout several-tables-locked
    """,
    "Call": """
        hidden-ddl server-files
    """,
    "ChangeOwner": """
        lock-after-long-work missing-lock-timeout revoke several-tables-locked
    """,
    "Cluster": """
        lock-after-long-work missing-lock-timeout several-tables-locked vacuum-full
    """,
    "ColumnDefault": """
        drop-default lock-after-long-work missing-lock-timeout not-there several-tables-locked
    """,
    "CompositeType": """
        already-there
    """,
    "Copy": """
        server-files
    """,
    "Create": """
        already-there column-type create-partition identifier missing-lock-timeout not-enforced
        not-immutable unlogged-table
    """,
    "CreateDomain": """
        already-there
    """,
    "CreateEnum": """
        already-there
    """,
    "CreateEventTrig": """
        create-trigger
    """,
    "CreateExtension": """
        server-files
    """,
    "CreateForeignServer": """
        server-files
    """,
    "CreateForeignTable": """
        server-files
    """,
    "CreateFunction": """
        already-there security-definer server-files
    """,
    "CreatePolicy": """
        already-there lock-after-long-work missing-lock-timeout row-security several-tables-locked
    """,
    "CreateRange": """
        already-there
    """,
    "CreateRole": """
        role-change
    """,
    "CreateSchema": """
        already-there
    """,
    "CreateSeq": """
        already-there
    """,
    "CreateTableAs": """
        already-there identifier long-work-under-lock server-files sessions-ended view-star
    """,
    "CreateTrig": """
        already-there create-trigger identifier lock-after-long-work missing-lock-timeout
        several-tables-locked
    """,
    "Createdb": """
        concurrently-in-transaction
    """,
    "Delete": """
        backfill-row-security catalog-write long-work-under-lock not-there server-files
        sessions-ended update-whole-table
    """,
    "DetachPartition": """
        concurrently-in-transaction detach-partition lock-after-long-work missing-lock-timeout
        several-tables-locked
    """,
    "DisableRowSecurity": """
        lock-after-long-work missing-lock-timeout row-security several-tables-locked
    """,
    "DisableRule": """
        disable-trigger
    """,
    "DisableTrig": """
        disable-trigger lock-after-long-work missing-lock-timeout several-tables-locked
    """,
    "DisableTrigAll": """
        disable-trigger lock-after-long-work missing-lock-timeout several-tables-locked
    """,
    "DisableTrigUser": """
        disable-trigger lock-after-long-work missing-lock-timeout several-tables-locked
    """,
    "Do": """
        advisory-lock error-swallowed hidden-ddl server-files sessions-ended
    """,
    "Drop": """
        concurrently-in-transaction drop-cascade drop-constraint drop-index drop-object drop-table
        lock-after-long-work missing-lock-timeout not-there several-tables-locked
    """,
    "DropColumn": """
        drop-cascade drop-column lock-after-long-work missing-lock-timeout not-there
        several-tables-locked used-by-view
    """,
    "DropConstraint": """
        drop-cascade drop-constraint drop-primary-key lock-after-long-work missing-lock-timeout
        not-there several-tables-locked
    """,
    "DropExpression": """
        drop-default lock-after-long-work missing-lock-timeout not-there several-tables-locked
    """,
    "DropIdentity": """
        drop-default lock-after-long-work missing-lock-timeout not-there several-tables-locked
    """,
    "DropInherit": """
        inheritance lock-after-long-work missing-lock-timeout several-tables-locked
    """,
    "DropNotNull": """
        drop-not-null lock-after-long-work missing-lock-timeout not-there several-tables-locked
    """,
    "DropOf": """
        lock-after-long-work missing-lock-timeout several-tables-locked
    """,
    "DropOwned": """
        drop-cascade drop-table
    """,
    "DropRole": """
        role-change
    """,
    "DropSubscription": """
        drop-object
    """,
    "Dropdb": """
        concurrently-in-transaction drop-table
    """,
    "EnableRowSecurity": """
        lock-after-long-work missing-lock-timeout row-security several-tables-locked
    """,
    "EnableTrig": """
        lock-after-long-work missing-lock-timeout several-tables-locked
    """,
    "EnableTrigAll": """
        lock-after-long-work missing-lock-timeout several-tables-locked
    """,
    "EnableTrigUser": """
        lock-after-long-work missing-lock-timeout several-tables-locked
    """,
    "ForceRowSecurity": """
        lock-after-long-work missing-lock-timeout row-security several-tables-locked
    """,
    "Grant": """
        grant-to-public revoke
    """,
    "GrantRole": """
        revoke role-change
    """,
    "Index": """
        already-there concurrently-if-not-exists concurrently-in-transaction
        concurrently-on-partitioned create-index identifier lock-after-long-work
        long-work-under-lock missing-lock-timeout not-immutable not-there several-tables-locked
    """,
    "Insert": """
        backfill-row-security catalog-write conflict-arbiter long-work-under-lock not-there
        sequence-reset server-files sessions-ended update-whole-table
    """,
    "Lock": """
        lock-after-long-work lock-table missing-lock-timeout several-tables-locked
    """,
    "Merge": """
        backfill-row-security server-files update-whole-table
    """,
    "NoForceRowSecurity": """
        lock-after-long-work missing-lock-timeout row-security several-tables-locked
    """,
    "RefreshMatView": """
        lock-after-long-work long-work-under-lock missing-lock-timeout refresh-materialized-view
        several-tables-locked
    """,
    "Reindex": """
        concurrently-in-transaction lock-after-long-work missing-lock-timeout reindex
        several-tables-locked
    """,
    "Rename": """
        identifier lock-after-long-work missing-lock-timeout not-there rename-column rename-object
        rename-table several-tables-locked
    """,
    "ReplicaIdentity": """
        lock-after-long-work missing-lock-timeout several-tables-locked
    """,
    "Rule": """
        create-trigger lock-after-long-work missing-lock-timeout several-tables-locked
    """,
    "Select": """
        advisory-lock disable-trigger hidden-ddl long-work-under-lock sequence-reset server-files
        sessions-ended
    """,
    "SetAccessMethod": """
        lock-after-long-work missing-lock-timeout rewrite-storage several-tables-locked
    """,
    "SetCompression": """
        lock-after-long-work missing-lock-timeout several-tables-locked
    """,
    "SetExpression": """
        add-column-generated lock-after-long-work missing-lock-timeout not-there
        several-tables-locked
    """,
    "SetIdentity": """
        drop-default lock-after-long-work missing-lock-timeout not-there several-tables-locked
    """,
    "SetLogged": """
        lock-after-long-work missing-lock-timeout rewrite-storage several-tables-locked
    """,
    "SetNotNull": """
        lock-after-long-work missing-lock-timeout not-there set-not-null several-tables-locked
    """,
    "SetRelOptions": """
        autovacuum-off
    """,
    "SetSchema": """
        lock-after-long-work missing-lock-timeout rename-object rename-table several-tables-locked
    """,
    "SetStorage": """
        lock-after-long-work missing-lock-timeout several-tables-locked
    """,
    "SetTableSpace": """
        lock-after-long-work missing-lock-timeout rewrite-storage several-tables-locked
    """,
    "SetUnLogged": """
        lock-after-long-work missing-lock-timeout rewrite-storage several-tables-locked
    """,
    "Truncate": """
        drop-cascade lock-after-long-work missing-lock-timeout not-there several-tables-locked
        truncate
    """,
    "Update": """
        backfill-row-security catalog-write long-work-under-lock not-there server-files
        sessions-ended update-whole-table
    """,
    "Vacuum": """
        concurrently-in-transaction vacuum-full
    """,
    "ValidateConstraint": """
        check-dirty-rows not-there validate-same-transaction
    """,
    "VariableSet": """
        disable-trigger set-local-outside-transaction
    """,
    "View": """
        already-there compat-view-not-updatable identifier server-files view-star
    """,
    "a script": """
        file-encoding hidden-ddl rollback-incomplete rollback-missing syntax transaction-control
        yoyo-format
    """,
    "the chain": """
        check-against-default compat-view-grants compat-view-never-dropped duplicate-version
        foreign-key-types-differ foreign-key-without-index not-valid-never-validated
    """,
}
