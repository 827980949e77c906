"""What is wrong with a machine, or with an app on its machines: looked for rung by rung.

What is asked of a host is gathered by one module for each noun (``share``, ``survey``, ...), and
judged by pure functions beside it, from facts to findings. `catalogue` has every finding.
"""
