"""What look.py is made of: accounts to report on, and a browser that looks at their pages."""
