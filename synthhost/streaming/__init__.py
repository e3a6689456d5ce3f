"""Exact streaming blocks: torch modules that run whole or in pieces with the same result."""
