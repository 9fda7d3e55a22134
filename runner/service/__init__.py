"""A service's folder and database: the files it has of those generated, what a server refuses."""
