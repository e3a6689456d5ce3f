"""Presets, sets and manifests: YAML in and out, checked, with versions."""
