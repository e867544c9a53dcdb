"""What the command line does with a checkpoint, a run or a data set: one module a command, imported when it is used."""
