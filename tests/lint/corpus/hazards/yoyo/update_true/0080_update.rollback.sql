UPDATE users SET status = lower(status);
