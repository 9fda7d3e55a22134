SET LOCAL lock_timeout = '200ms';

{% if not k.validated %}
-- trueup: ignore not-valid-never-validated because the old foreign key was never validated either
{% endif %}
ALTER TABLE {{ "IF EXISTS " if table != k.table }}{{ table | n }}
    ADD CONSTRAINT {{ k.build_name | q }}
    FOREIGN KEY ({{ k.columns | qs }})
    REFERENCES {{ k.references | n }} ({{ k.referenced_columns | qs }}){{ k.options }}{{ " NOT VALID" if k.validated }};
{% if k.comment is not none and table == k.table %}
COMMENT ON CONSTRAINT {{ k.build_name | q }} ON {{ k.table | n }} IS {{ k.comment | lit }};
{% endif %}
