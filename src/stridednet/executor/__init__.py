"""Runs a Keras model on PyTorch and on compiled C: predictions and training steps."""
