"""Is all in place for a search, and is a search whole?"""
