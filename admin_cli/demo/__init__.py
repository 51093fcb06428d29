"""`mailweir demo`: real mail through a real stack on loopback, and what became of it."""
