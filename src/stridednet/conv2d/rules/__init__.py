"""The rules of advice: on kernels, on the shape of the network, and on weights."""
