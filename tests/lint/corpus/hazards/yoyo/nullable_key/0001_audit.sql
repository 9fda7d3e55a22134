-- expect: safe
-- depends:
CREATE TABLE audit (id bigint, what text NOT NULL);
