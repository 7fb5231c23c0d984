"""Instructions to a running search: numbered entries in the store, written by anyone, read by the driver."""
