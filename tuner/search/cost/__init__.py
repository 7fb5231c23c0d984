"""What a search costs: what it has spent, the limits of its budget, and what it is expected to take."""
