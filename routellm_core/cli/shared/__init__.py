"""What several commands share: options, named routers, progress."""
