"""Good selections fast: tabu search, exact assignments with distinct rows, forced pairs."""
