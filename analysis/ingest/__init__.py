"""From the files of a run to the tables of schema.yml. One module for each kind of record."""
