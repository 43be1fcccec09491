"""Where a grid is worked off: in this process, in several of this machine, or on a cluster."""
