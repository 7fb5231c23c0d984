"""The ground floor: files, locks, text and time, for all packages; knows none of them."""
