"""The pages that people read: the report of a search, explanations, and the picture of a front."""
