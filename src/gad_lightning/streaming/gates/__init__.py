"""Gates: which frames of live streams need all layers."""
