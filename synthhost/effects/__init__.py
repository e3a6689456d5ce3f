"""Chains of pedalboard effects with exact block bookkeeping, and the limiter."""
