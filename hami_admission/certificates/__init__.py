"""TLS: an authority and a serving certificate of our own, kept in a Secret, renewed in place."""
