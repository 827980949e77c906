"""What the modes of an app come to on its hosts."""
