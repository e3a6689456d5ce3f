"""Training of models: recipes, material, losses. The host never imports it."""
