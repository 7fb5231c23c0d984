"""What a search leaves in its store: recipe, typed ledger events, and the state that they add up to."""
