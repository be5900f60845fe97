"""Synthetic people: rendered pictures and clips with known truth."""
