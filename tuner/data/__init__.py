"""What images there are: data sets, their splits and object masks. `load_dataset` is the door."""
