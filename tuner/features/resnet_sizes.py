"""What a ResNet of each depth is made of; without torch, so that the table of systems can count its features."""

PIXELS = "pixels"  # the backbone whose bank a ResNet is trained on
STRIDE = 8  # pixels per position of the final maps: 4 by the stem, 2 by the second stage
WIDTHS = {18: (64, 128, 256, 512), 34: (64, 128, 256, 512), 50: (256, 512, 1024, 2048)}  # channels after each stage
BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}
