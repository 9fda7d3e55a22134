-- migrate:up
-- expect: safe
CREATE TABLE shipment (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id bigint NOT NULL REFERENCES orders (id),
    state text NOT NULL DEFAULT 'NEW' CHECK (state IN ('NEW', 'SENT')),
    sent_at timestamptz
);
CREATE INDEX shipment_order_id_idx ON shipment (order_id);
INSERT INTO shipment (order_id) VALUES (1);

-- migrate:down
DROP TABLE shipment;
