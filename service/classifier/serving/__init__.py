"""Answering over HTTP what a bundle says. Never imports TensorFlow nor classifier.training."""
