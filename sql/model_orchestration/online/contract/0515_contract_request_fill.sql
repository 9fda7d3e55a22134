-- For the rollback: fill the old columns of request.
--
-- does:    changes no row; its rollback fills the old columns from the new ones and the spellings that were kept
-- locks:   none
-- cost:    none
-- undo:    writes each row of request once, in batches; can be stopped and run again
-- transactional: false
-- depends: 0514_contract_requests_provider_success_idx

DELETE FROM trueup.progress WHERE file = '0515_contract_request_fill';
