"""A name and its settings become a Keras model."""
