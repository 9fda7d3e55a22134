-- For the rollback: prove the foreign keys of both contracts.
--
-- does:    changes nothing; its rollback validates the foreign keys of both contracts
-- locks:   none
-- cost:    none
-- undo:    reads request once for each foreign key; reads and writes go on
-- depends: 0503_contract_model_reversal 0504_contract_request_reversal

CALL trueup.fix_transaction();
