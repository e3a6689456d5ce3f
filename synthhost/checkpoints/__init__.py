"""Public checkpoint layouts and our own model folders, read without running anything they hold."""
