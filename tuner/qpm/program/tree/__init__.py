"""Branch and cut in SCIP: the tree, its constraint handler and node selection; and programs with forced class pairs."""
