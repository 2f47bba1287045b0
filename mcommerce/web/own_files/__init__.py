"""The project's own scripts and style sheets as a deployed site sends them: in few files, and short."""
