-- Drops the copy, which has been put back by then.

SET LOCAL search_path = pg_catalog;
CALL trueup.fix_settings();

DROP TABLE trueup.provider_quota_reversal;
