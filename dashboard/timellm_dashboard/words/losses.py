"""What training makes small, by name: the same in every language."""

from timellm_ops.contract.events import LossName

LOSS_NAMES: dict[LossName, str] = {
    "mse": "MSE",
    "mae": "MAE",
    "huber": "Huber",
    "weighted_mse": "WMSE",
}
