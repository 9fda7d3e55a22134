"""The report: one HTML file that a DBA reads and a manager looks at."""
