"""ResNet baselines, trained end to end from pixels (docs/explanation/method.md#resnet)."""
