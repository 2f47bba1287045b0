"""Group dead letters by cause, freeze what an operator was shown, and act on exactly those in the background."""
