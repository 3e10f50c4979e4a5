-- Totals and what was parked are in rated_sums and rated_parked; 2011 dropped the lines.
DROP TABLE rated_totals;
DROP TABLE parked_lines;
