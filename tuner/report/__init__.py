"""HTML and SVG: the report of a search, explanations, the picture of a front, snippets for notebooks."""
