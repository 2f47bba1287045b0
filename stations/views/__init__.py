"""The pages of the stations and of the producer."""
