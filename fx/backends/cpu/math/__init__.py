"""fx's own vector math: one file per idea, each function written once for float32 and float64, for any number of lanes."""
