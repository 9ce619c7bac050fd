"""Check a data set: label issues, near-duplicates, unusual pictures, unreadable files and class balance."""
