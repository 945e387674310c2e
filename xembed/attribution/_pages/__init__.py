"""The pages of explanations."""
