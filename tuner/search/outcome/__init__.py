"""What comes of a search: front, report, pick, explanation, baselines."""
