"""The Ray session of a search: an existing cluster, or a private Ray on this machine.

From bottom to top: `environment` (reload Ray's settings from it), `address` (find and check a cluster),
`surroundings` (can Ray start here?), `own_ray` (a private Ray that no other user can use), `connect` (join or start
Ray, and set the resources of each stage), `precision` (the number type that its devices compute fast).
"""
