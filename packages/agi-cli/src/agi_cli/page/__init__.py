"""A run as one self-contained page that people would rather look at than read."""
