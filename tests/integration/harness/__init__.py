"""What the integration tests stand on: real programs, started, watched and ended."""
