"""What is known of the layer itself, without Keras and without PyTorch: arithmetic, parameters, advice."""
