"""What is measured of a model: one metric a file, and one table that names them all."""
