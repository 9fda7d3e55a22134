-- expect: safe
UPDATE feature SET enabled = true WHERE name = 'new_checkout';
DELETE FROM feature WHERE name IN ('old_a', 'old_b');
INSERT INTO feature (name, enabled) VALUES ('newer', false) ON CONFLICT (name) DO NOTHING;
