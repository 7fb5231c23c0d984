"""Systems: the methods of the published table by name, over seeds, in one table: alone, or beside a front."""
