"""Signing in: the allauth adapter, guesses at passwords, known browsers, the second factor."""
