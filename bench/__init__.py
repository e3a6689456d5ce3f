"""Measurements a person can repeat: `python -m bench` runs all of them and prints one report."""
