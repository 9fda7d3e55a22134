-- Let the new columns of request reference model.
--
-- does:    adds what requests_model_id_fkey is for the old columns, as NOT VALID
-- locks:   SHARE ROW EXCLUSIVE on request and model for a few ms; gives up after 200 ms and can be
--          run again
-- cost:    no scan
-- undo:    instant
-- depends: 0312_enforce_request_not_null 0305_enforce_model_not_null

SET LOCAL lock_timeout = '200ms';

ALTER TABLE public.request
    ADD CONSTRAINT request_model_id_fkey
    FOREIGN KEY (model_id)
    REFERENCES public.model (id) NOT VALID;
