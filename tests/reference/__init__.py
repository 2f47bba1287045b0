"""The pages of docs/reference, held to the code: what is in one and not in the other fails a test."""
