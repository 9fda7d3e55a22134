SET LOCAL lock_timeout = '200ms';
DROP VIEW public.users;
ALTER TABLE public.app_user RENAME COLUMN email TO mail;
ALTER TABLE public.app_user RENAME TO users;
