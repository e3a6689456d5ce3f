"""Where models live: found by name, fetched, loaded for Python, certified."""
