"""What keeps a run's store in order: holds, retention, verification, archives."""
