"""What the integration and browser tests stand on: real programs, started, watched and ended."""
