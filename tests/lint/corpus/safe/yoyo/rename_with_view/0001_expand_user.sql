-- expect: safe
-- Give users its new name beside the old one.
-- depends:
SET LOCAL lock_timeout = '200ms';
ALTER TABLE public.users RENAME TO app_user;
ALTER TABLE public.app_user RENAME COLUMN mail TO email;
CREATE VIEW public.users AS
SELECT id, email AS mail, created_at FROM public.app_user;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.users TO shop;
