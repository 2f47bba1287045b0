"""The site without one of its apps: MISSING_APP names it."""
