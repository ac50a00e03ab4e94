"""The words on every screen, in English and Chinese, and numbers as a person reads them."""
