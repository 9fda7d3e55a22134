-- For the rollback: fill the old columns of model.
--
-- does:    changes no row; its rollback fills the old columns from the new ones and the spellings that were kept
-- locks:   none
-- cost:    none
-- undo:    writes each row of model once, in batches; can be stopped and run again
-- transactional: false
-- depends: 0515_contract_request_fill

DELETE FROM trueup.progress WHERE file = '0516_contract_model_fill';
