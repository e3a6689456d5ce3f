"""How a model is computed: runners behind the Runner seam."""
