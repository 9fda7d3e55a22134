-- expect: drop-cascade drop-object
DROP TYPE order_state CASCADE;
