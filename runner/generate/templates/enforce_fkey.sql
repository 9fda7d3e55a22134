SET LOCAL lock_timeout = '200ms';

ALTER TABLE {{ "IF EXISTS " if table != k.table }}{{ table | n }}
    ADD CONSTRAINT {{ t.fkey_build_name(k) | q }}
    FOREIGN KEY ({{ k.columns | qs }})
    REFERENCES {{ k.references | n }} ({{ k.referenced_columns | qs }}){{ k.options }} NOT VALID;
{% if k.comment is not none and table == k.table %}
COMMENT ON CONSTRAINT {{ t.fkey_build_name(k) | q }} ON {{ k.table | n }} IS {{ k.comment | lit }};
{% endif %}
