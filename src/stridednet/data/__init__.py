"""A folder of pictures becomes batches: scan, split, decode, augment."""
