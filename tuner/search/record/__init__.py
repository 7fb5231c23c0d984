"""The persistent record of a search: recipe, typed ledger events, and the state derived from them."""
