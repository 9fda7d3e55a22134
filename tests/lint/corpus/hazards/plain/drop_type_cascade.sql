-- expect: drop-cascade
DROP TYPE order_state CASCADE;
