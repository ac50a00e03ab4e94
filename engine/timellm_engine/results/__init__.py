"""What a trained model is worth and what it expects: evaluations, predictions, baselines, plots."""
