"""Cutting planes: inequalities that every selection satisfies, and how violated ones are found."""
