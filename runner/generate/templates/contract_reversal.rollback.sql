DROP TABLE {{ t.reversal | n }};
