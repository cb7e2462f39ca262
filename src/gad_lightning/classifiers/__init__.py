"""The three LightningModules."""
