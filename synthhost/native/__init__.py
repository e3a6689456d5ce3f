"""What is computed a sample at a time: the compiled part of the package."""
