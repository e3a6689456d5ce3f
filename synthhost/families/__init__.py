"""Network families, each a composition of streaming blocks, and their registry."""
