"""Find the events of one order, product, station or request, with what each group has made of them."""
