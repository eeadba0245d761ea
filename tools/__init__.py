"""What sets up, builds and checks the course; readers of lessons need none of it."""
