"""Keras 3 models; they run on the TensorFlow and on the JAX backend."""
