"""Keras 3 models; they run on the TensorFlow and on the JAX backend.

`features` alone needs no network: it uses scikit-learn.
"""
