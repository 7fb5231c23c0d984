"""Running a search, from its lease to its derived files: `run.py` first, then `driver.py`."""
