"""The operator's overview at `/eventbus/`: what is wrong, since when, and where its remedy is."""
