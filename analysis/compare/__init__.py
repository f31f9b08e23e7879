"""Two runs against each other that were measured at different times: for a pull request, and for a build."""
