"""A finished run in use: predictions for pictures, with and without Keras."""
