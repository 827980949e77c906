"""What people see: resources as tables and trees, made with rich. They compute and print nothing.
"""
