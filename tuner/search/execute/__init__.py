"""Execution of trials: their stages are planned, run once each in Ray workers, monitored and retried."""
