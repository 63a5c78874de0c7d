"""Completing a turn for a server that can't hear or can't speak: others write down what is said, and say the answer."""
