"""From a trial to its stages: planned, run once each in Ray workers, watched, tried again."""
