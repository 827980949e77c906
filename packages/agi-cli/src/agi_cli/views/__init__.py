"""What people see: resources as tables and trees, made with rich.

A view is computed from values; it asks nobody and prints nothing.
"""
