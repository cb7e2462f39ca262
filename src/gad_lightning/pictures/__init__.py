"""Pictures of what classifiers say; drawn without a screen."""
