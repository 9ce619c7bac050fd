"""From a folder of pictures to training batches: scan, split, decode, augment."""
