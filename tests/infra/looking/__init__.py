"""What look.py is made of: a replay, metric math, Logs Insights, and pictures of widgets."""
