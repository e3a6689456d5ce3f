"""Sample loops of autoregressive networks."""
