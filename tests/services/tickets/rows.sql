INSERT INTO customers (id, name)
SELECT 'a0000000-0000-4000-8000-' || lpad(n::text, 12, '0'), 'customer ' || n FROM generate_series(1, 20) AS n;
INSERT INTO tickets (id, customer_id, state)
SELECT
    'b0000000-0000-4000-8000-' || lpad(n::text, 12, '0'),
    'a0000000-0000-4000-8000-' || lpad((n % 20 + 1)::text, 12, '0'),
    (ARRAY['open', 'paid', 'used'])[n % 3 + 1]
FROM generate_series(1, 300) AS n;
