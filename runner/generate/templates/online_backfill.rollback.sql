DELETE FROM trueup.progress WHERE file = {{ id | lit }};
