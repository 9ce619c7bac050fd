"""Rules of advice: kernels and what they read, the shape of a network, weights and what acts on them."""
