"""What makes the feature stream: mel tapes, and frames from outside."""
