"""Why a predictor likes an architecture, and what each loss rewards in a space."""
