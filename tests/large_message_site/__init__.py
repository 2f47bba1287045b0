"""A site whose one socket takes whatever it is sent, under the servers that the project starts."""
