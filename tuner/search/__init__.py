"""The search service: proposals, trials, stages that run once, and Ray Tune around them."""
