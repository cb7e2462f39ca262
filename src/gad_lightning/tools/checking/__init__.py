"""What the tool that checks data counts."""
