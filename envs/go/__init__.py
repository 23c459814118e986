"""Go at any size to 19: rules, encoding, notation and game records."""
