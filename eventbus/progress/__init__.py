"""Store how far each consumer group is: offsets, epochs, the inbox, and which log the offsets belong to."""
