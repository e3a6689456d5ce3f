"""Tracks, buses, the mixer and the render loop: the same engine live, offline and in replay."""
