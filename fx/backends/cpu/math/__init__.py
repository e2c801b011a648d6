"""fx's own vector math: a file per idea, every function written once for both widths and any number of lanes."""
