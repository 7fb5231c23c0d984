"""The metrics of a model: one per file, which declares its own row; `table` collects them.

To add a metric, add a file with `METRICS = (ImageMetric(..),)`, or one of the other kinds in `kinds`.
"""
