"""The Ray that a search runs on: a cluster that is joined, or a Ray of its own on this machine."""
