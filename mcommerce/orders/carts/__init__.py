"""Carts of visitors: lines, session, merge at sign-in, and the return of a cancelled order's lines."""
