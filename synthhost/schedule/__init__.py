"""Ordering commands in time and cutting them at block edges."""
