-- Before the old columns of request go: on the way back they are filled here.
--
-- does:    changes no row; its rollback fills the old columns from the new ones and the spellings that were kept, in
--          batches of pages
-- locks:   none
-- cost:    none
-- undo:    writes each row of request once, for which it goes over each 10 MB nine times, and reads it twice more; can
--          be stopped and run again at any point; the table grows until VACUUM
-- transactional: false
-- depends: 0514_contract_requests_provider_success_idx

DELETE FROM trueup.progress WHERE file = '0515_contract_request_fill';
