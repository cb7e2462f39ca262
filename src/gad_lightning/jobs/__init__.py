"""Long work in small units: who does which, what is done, and where it is kept."""
