"""Helpers of the course *Medical AI from First Principles*.

The subpackages are imported where they are needed, so that looking at the data
catalogue does not wait for TensorFlow.
"""

__version__ = "0.1.0"
