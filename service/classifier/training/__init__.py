"""From texts to a bundle. Needs TensorFlow; nothing on a host imports it."""
