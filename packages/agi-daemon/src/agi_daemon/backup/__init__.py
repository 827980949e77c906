"""Copies of the store: made while it is used, and gone back to."""
