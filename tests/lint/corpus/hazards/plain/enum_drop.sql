-- expect: syntax
ALTER TYPE order_state DROP VALUE 'canceled';
