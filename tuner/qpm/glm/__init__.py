"""Sparse multinomial linear models on standardised features: how SLDD and Q-SENN choose features and weights
(docs/explanation/method.md#glm-path).

One convex problem, one solver, and two walks over its regularisation path.
"""
