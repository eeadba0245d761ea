"""The mathematics of neural networks in NumPy, written to be read."""
