-- expect: attach-partition
SET lock_timeout = '200ms';
ALTER TABLE measurement ATTACH PARTITION measurement_2019 FOR VALUES FROM ('2019-01-01') TO ('2020-01-01');
