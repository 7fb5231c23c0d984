"""Early stopping: which trials end at the rung, by rules that know neither Ray nor the ledger's files."""
