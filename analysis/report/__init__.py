"""One offline HTML file out of a dataset and its figures."""
