"""The results of a search: derived files, report, picked model, explanations."""
