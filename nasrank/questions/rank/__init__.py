"""The parts of ``rank``: folds, choice of a loss, calibration, pools, reasons, new labels."""
