"""The front: which trials no other beats, which of them to take, and why. The page that shows it is `tuner.report`."""
