"""Open data: the stations of each feed as GBFS 3.0 and 3.1, and as REST with an OpenAPI document."""
