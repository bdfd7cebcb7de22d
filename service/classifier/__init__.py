"""Frontdesk's text classifier: training makes a bundle, serving answers from it."""
