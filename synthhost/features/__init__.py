"""Mel conventions and the analysis that makes them, whole and live."""
