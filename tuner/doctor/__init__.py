"""Diagnostics: prerequisites of a search, and the integrity of an existing one."""
