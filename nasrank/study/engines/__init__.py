"""Where fleets are executed: in this process, in several of this machine, or on a cluster."""
