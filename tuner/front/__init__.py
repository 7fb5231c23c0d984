"""The front: which trials no other beats, which of them to take and why, and the page that shows it."""
