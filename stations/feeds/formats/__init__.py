"""The formats of station feeds: JCDecaux's own API, and GBFS; each with the conversion of its rows to readings."""
