"""What package.py is made of."""
