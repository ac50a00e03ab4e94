"""What every number on the screens means, in English and Chinese."""
