-- expect: server-settings
ALTER SYSTEM SET max_connections = 500;
