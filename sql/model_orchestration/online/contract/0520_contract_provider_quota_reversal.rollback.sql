-- Drops the copy, which has been put back by then.

DROP TABLE trueup.provider_quota_reversal;
