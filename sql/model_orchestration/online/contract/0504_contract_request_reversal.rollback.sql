-- Drops the copy, which has been put back by then.

DROP TABLE trueup.request_reversal;
