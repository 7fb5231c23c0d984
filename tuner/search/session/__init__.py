"""The Ray that a search runs on: a cluster that is joined, or a Ray of its own on this machine.

From bottom to top: `environment` (what Ray has read of it), `address` (is there a cluster, does it let us in?),
`surroundings` (can Ray start here?), `own_ray` (one of our own, which nobody else can use), `connect` (join or start
it, and what each stage may hold there), `precision` (which number type its devices compute fast).
"""
