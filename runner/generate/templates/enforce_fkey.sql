SET LOCAL lock_timeout = '200ms';

ALTER TABLE {{ k.table | n }}
    ADD CONSTRAINT {{ k.build_name | q }}
    FOREIGN KEY ({{ k.columns | qs }})
    REFERENCES {{ k.references | n }} ({{ k.referenced_columns | qs }}){{ k.options }}{{ " NOT VALID" if k.validated }};
{% if k.comment is not none %}
COMMENT ON CONSTRAINT {{ k.build_name | q }} ON {{ k.table | n }} IS {{ k.comment | lit }};
{% endif %}
