"""The bound at the root: cutting planes over a linear program that is certified."""
