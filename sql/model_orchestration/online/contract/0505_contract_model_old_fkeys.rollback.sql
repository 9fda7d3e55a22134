-- Adds the foreign keys of the old columns again: reads the tables.

SET LOCAL lock_timeout = '200ms';

-- A reference is spelled as the key that it refers to.
CALL trueup.silence_triggers('public.request');
UPDATE public.request AS t
SET model_id__old = r.id__old
FROM trueup.model_reversal AS r
WHERE t.model_id = r.id
    AND t.model_id__old <> r.id__old;
CALL trueup.put_back('public.request');

ALTER TABLE public.request
    ADD CONSTRAINT requests_model_id_fkey
    FOREIGN KEY (model_id__old)
    REFERENCES public.model (id__old);
