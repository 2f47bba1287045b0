"""Accept or refuse declarations: the keywords of events and handlers, types of fields, upcasts of old versions."""
