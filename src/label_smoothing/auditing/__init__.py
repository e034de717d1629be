"""What a loss trains on: asked of it, recovered, named and reported."""
