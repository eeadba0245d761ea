"""How good a model is, for whom, and how sure that is."""
