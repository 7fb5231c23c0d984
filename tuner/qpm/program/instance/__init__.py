"""The program as data: sizes, coefficients, the way from features to a problem, files, and the check of an answer."""
