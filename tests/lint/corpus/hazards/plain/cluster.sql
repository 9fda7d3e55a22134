-- expect: vacuum-full
SET lock_timeout = '200ms';
CLUSTER orders USING orders_pkey;
