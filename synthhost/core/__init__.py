"""The vocabulary every room shares: errors, specs, time, messages, parameters, noise and the seams."""
