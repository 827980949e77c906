"""What surrounds every call: its log line, its errors, the end of its stream."""
