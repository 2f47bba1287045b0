"""Break the whole site, one fault at a time, and measure the overview, the notices and the alerts from outside."""
