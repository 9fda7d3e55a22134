-- For the rollback: fill the old columns of provider_quota.
--
-- does:    changes no row; its rollback fills the old columns from the new ones and the spellings that were kept
-- locks:   none
-- cost:    none
-- undo:    writes each row of provider_quota once, in batches; can be stopped and run again
-- transactional: false
-- depends: 0524_contract_provider_quotas_provider_idx

DELETE FROM trueup.progress WHERE file = '0525_contract_provider_quota_fill';
