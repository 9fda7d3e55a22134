DELETE FROM trueup.progress WHERE file = {{ own_id }};
