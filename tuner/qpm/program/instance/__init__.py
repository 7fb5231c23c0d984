"""The program as data: coefficients, thresholds, units, and the judge of a solution."""
