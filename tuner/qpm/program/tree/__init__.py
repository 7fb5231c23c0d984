"""Branch and cut in SCIP: the tree, its constraint handler and its node selection."""
