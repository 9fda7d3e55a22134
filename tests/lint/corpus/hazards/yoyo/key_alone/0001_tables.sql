-- expect: safe
-- depends:
CREATE TABLE customer (id varchar(36) PRIMARY KEY);
CREATE TABLE purchase (
    id varchar(36) PRIMARY KEY,
    customer_id varchar(36) NOT NULL REFERENCES customer (id)
);
CREATE INDEX purchase_customer_id_idx ON purchase (customer_id);
