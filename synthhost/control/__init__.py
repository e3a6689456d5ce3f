"""OSC from the outside world: packets, addresses, answers, and the loop that turns them into commands."""
