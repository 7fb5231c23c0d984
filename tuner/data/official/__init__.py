"""Public data sets as their publishers offer them: archives, how they are fetched, and manifests of what is in them."""
