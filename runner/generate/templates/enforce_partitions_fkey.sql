SET LOCAL lock_timeout = '200ms';

-- trueup: ignore foreign-key-not-valid because it takes in what is proven for each partition
ALTER TABLE {{ k.table | n }}
    ADD CONSTRAINT {{ k.build_name | q }}
    FOREIGN KEY ({{ k.columns | qs }})
    REFERENCES {{ k.references | n }} ({{ k.referenced_columns | qs }}){{ k.options }};
{% if k.comment is not none %}
COMMENT ON CONSTRAINT {{ k.build_name | q }} ON {{ k.table | n }} IS {{ k.comment | lit }};
{% endif %}
