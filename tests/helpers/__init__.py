"""What several test modules share: rows made by hand, and packages of third parties."""
