"""One driver's turn at a search, from its lease to the files that it leaves."""
