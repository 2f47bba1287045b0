"""The stations' past: every change packed by days, hours, and the pages, playback and export of them."""
