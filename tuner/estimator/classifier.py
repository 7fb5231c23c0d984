"""`QPMClassifier`: the three stages of the method behind scikit-learn's interface.

It needs no search, store or server; `tuner.search` tunes the same settings on a larger scale.
"""

from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from tuner.base.folders import checked_path
from tuner.errors import TunerError
from tuner.estimator.errors import restored_on_failure
from tuner.estimator.files import load_estimator, save_estimator
from tuner.estimator.images import ImageReader, backbone_config
from tuner.estimator.inputs import image_paths, samples_of, token_maps
from tuner.estimator.labels import encoded, plain_labels
from tuner.estimator.parameters import StageSettings, seed_of, stage_settings, usable_device
from tuner.estimator.predictor import Predictor
from tuner.estimator.state import frozen, thawed
from tuner.estimator.training import train
from tuner.estimator.validation import numbers_to_fit
from tuner.qpm import QpmModel


class QPMClassifier(ClassifierMixin, Predictor):  # type: ignore[misc]  # scikit-learn has no types
    """A classifier whose classes are sums of a few shared features, chosen by a quadratic program.

    An adapter is trained on frozen features of images, a quadratic program selects `n_features` of its outputs and
    gives each class `features_per_class` of them, and the adapter is fine-tuned behind that fixed table. A score is
    the sum of the z-scores of the features of its class, so `explain` is complete, not an approximation.

    X is one of

    - pooled features, (n, dim): one token per image;
    - token maps of a frozen backbone, (n, tokens, dim) or (n, height, width, dim), where features have a place;
    - image paths, a list or array of str or Path, if `backbone` is named: read, preprocessed and rounded to float16
      as for a feature bank. A backbone that learns from images (`patch_dictionary`) learns from those of `fit`.

    y holds labels of any type that scikit-learn accepts for classes, of at least two classes.

    In a `Pipeline`, a `StandardScaler` before it works on pooled features. Token maps have more axes than such
    transformers take; they need no scaling, since the adapter's batch norm sees every token. The defaults are
    the published settings, made for thousands of images: for small data set `width` and `hidden` to tens or hundreds.

    Args:
        n_features: features selected; "auto": 50, or as many as vary over the training images where these are fewer.
        features_per_class: features of each class.
        width: outputs of the adapter, from which features are selected.
        hidden: hidden width of the adapter.
        n_layers: linear layers of the adapter, from 1 to 16.
        pooling: how a feature is made of its map: avg or max; cls, mean_avg, concat_avg or concat_max for images
            whose backbone has a CLS token.
        activation: after every layer: relu, gelu, sigmoid, leaky_relu or tanh.
        adapter_dropout: dropout between layers.
        cls_in_batch_norm: whether the CLS token counts in the batch statistics.
        batch_norm: batch normalisation after every layer.
        residual: add the token itself before the last activation; needs `width` = width of a token.
        scale: multiply every feature map by a learnt number, then ReLU.
        variant: pair set of the program's penalty: released or paper.
        locality_bias: of the program: as the variant has it (`variant`), on or off.
        gap: relative gap to the proven bound at which the program may stop.
        effort: work after which the program stops, simplex iterations.
        deadline_s: wall time after which the program stops, seconds.
        control: none; or random, which draws the assignment (a control).
        forced_pairs: most similar class pairs that must share all features but one; CHiQPM: half as many as classes.
        assign_on: images that the program, the means and the deviations rest on: train, or held_out, those of
            `dense_held_out`.
        dense_epochs: epochs of the dense training.
        finetune_epochs: epochs of fine-tuning.
        dense_batch_size: images per step of the dense training. With one token per image it is raised to the next size
            that leaves no batch of one image.
        finetune_batch_size: images per step of fine-tuning; raised likewise.
        dense_lr: learning rate of schedule-free AdamW in the dense training.
        finetune_lr: learning rate of schedule-free AdamW in fine-tuning.
        dense_weight_decay: weight decay in the dense training.
        finetune_weight_decay: weight decay in fine-tuning.
        dense_diversity: weight of the feature-diversity loss in the dense training.
        finetune_diversity: weight of the feature-diversity loss in fine-tuning.
        dense_l1: weight of the mean absolute feature map in the dense training.
        dense_l1_vector: weight of the mean absolute pooled feature in the dense training.
        finetune_l1: weight of the mean absolute feature map in fine-tuning.
        finetune_l1_vector: weight of the mean absolute pooled feature in fine-tuning.
        finetune_grounding: weight of CHiQPM's grounding loss, which quiets features in images of classes without them.
        dense_dropout: dropout on the pooled features in the dense training.
        dense_held_out: share of each class's images that the dense stage is not trained on.
        finetune_dropout: dropout on the pooled features in fine-tuning.
        finetune_rectified: a feature below its mean adds 0 to a class, not its negative z-score (CHiQPM).
        finetune_rounds: rounds of fine-tuning, the last without the grounding loss.
        finetune_round_epochs: epochs of every round but the last, which takes the rest of `finetune_epochs`.
        finetune_round_decay: factor on the learning rate from round to round.
        precision: of the adapter in both trainings: auto, float32 or bfloat16.
        reestimate_batch_norm: one pass over the training images at the averaged weights after each training.
        shuffle: order of the images of an epoch in both trainings: full, or blocks for tokens on a slow disk.
        grid: (height, width) of the tokens of an X of three axes; None: a square.
        backbone: a backbone's name or a BackboneConfig, where X holds image paths.
        random_state: seed of all stages; an int is the seed that a search would use, the same fit every time on the
            same machine. A RandomState or None draws one.
        device: auto, cpu, cuda, cuda:1 ...

    Attributes:
        classes_: (n_classes,) the labels, sorted.
        n_features_in_: width of a token; of paths there is none.
        feature_names_in_: (n_features_in_,) where `fit` was given a DataFrame with names.
        n_features_: features selected.
        features_: (n_features_,) names of the features, "feature 0" and so on, in the order of the table's columns.
        feature_indices_: (n_features_,) int64, their indices among the outputs of the dense model's adapter.
        assignment_: (n_classes, n_features_) bool, the features of each class.
        feature_mean_: (n_features_,) mean of each feature over the images of `assign_on`, in the dense model.
        feature_std_: (n_features_,) standard deviation, likewise.
        grid_: tokens per column and per row.
        model_: the fine-tuned QpmModel.
        report_: seed, seconds of each stage, objective, bound, gap and status of the program, and the last epoch of
            each training; JSON. `random_state=report_["seed"]` repeats a fit whose seed was drawn.

    Example:
        >>> from sklearn.datasets import load_digits
        >>> from sklearn.model_selection import train_test_split
        >>> from tuner.estimator import QPMClassifier
        >>> X, y = load_digits(return_X_y=True)
        >>> X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
        >>> small = {"width": 48, "hidden": 96, "n_layers": 2, "dense_epochs": 8, "finetune_epochs": 8}
        >>> model = QPMClassifier(n_features=20, features_per_class=3, dense_lr=0.003, **small)
        >>> model = model.fit(X_train, y_train)
        >>> bool(model.score(X_test, y_test) > 0.9)
        True
        >>> model.assignment_.sum(axis=1).tolist()  # each digit is the sum of three of the twenty features
        [3, 3, 3, 3, 3, 3, 3, 3, 3, 3]
        >>> why = model.explain(X_test[:1])[0]
        >>> len(why.evidence[why.predicted])  # these three, by what each adds to the score
        3
    """

    def fit(self, X: Any, y: ArrayLike) -> Self:
        """Train, select, assign and fine-tune. A fit that fails leaves the estimator as it was.

        Args:
            X: (n, dim), (n, tokens, dim), (n, height, width, dim), or n image paths.
            y: (n,) labels.

        Raises:
            InputError: a ValueError: X, y or a parameter is not as described above, in the first thing that is wrong.
            DivergedError: a loss became NaN or infinite.
            TunerError: an image, or the weights of the backbone, cannot be read.

        Warns:
            ConvergenceWarning: the deadline cut the program short, so that another fit may differ.
        """
        settings, seed = stage_settings(self.get_params(deep=False)), seed_of(self.random_state)
        usable_device(self.device)
        with restored_on_failure(self):
            return self._fit(X, y, settings, seed)

    def _fit(self, X: Any, y: Any, settings: StageSettings, seed: int) -> Self:
        for name in ("n_features_in_", "feature_names_in_"):
            self.__dict__.pop(name, None)
        reader = None
        if self.backbone is None:
            X, y = numbers_to_fit(self, X, y)
            self.classes_, labels = encoded(y)
            (patches, grid), cls = token_maps(X, self.grid), None
        else:
            paths = image_paths(X)
            self.classes_, labels = encoded(plain_labels(len(paths), y))
            reader = ImageReader(backbone_config(self.backbone), self.device).fit(paths)
            (patches, cls), grid = reader.tokens(paths), reader.grid
        samples = samples_of(patches, cls, labels, grid, len(self.classes_))
        trained = train(samples, settings, seed=seed, device=self.device)
        self.reader_, self.grid_, self.report_ = reader, grid, {"seed": seed, **trained.report()}
        self.model_: QpmModel = trained.model
        self._describe(trained.model)
        return self

    def save(self, folder: Path | str) -> None:
        """Write the fitted estimator as safetensors and JSON; `load` reads it, and runs no code from it.

        Args:
            folder: where; made if need be, and empty.

        Raises:
            NotFittedError: nothing was fitted.
            InputError: something is in the folder already, or a label is of a type that JSON does not have.
            TunerError: the folder cannot be written.
        """
        check_is_fitted(self, "model_")
        place = checked_path(folder, "folder")
        try:
            save_estimator(self, place)
        except OSError as error:
            what = f"{place} cannot be written ({error.strerror or error})"
            raise TunerError(what, "a folder that can be made and written", "choose another folder") from error

    @classmethod
    def load(cls, folder: Path | str, *, device: str = "auto", weights: str = "") -> Self:
        """Read what `save` wrote.

        Args:
            folder: the folder.
            device: where to predict: auto, cpu, cuda, cuda:1 ...
            weights: of a pre-trained backbone: a file or folder, where they are not the backbone's usual ones.

        Raises:
            TunerError: it is no such folder, a file of it is missing or damaged, or the backbone's weights are missing.
            UsageError: the backbone's weights were in a file of the machine that saved it, and `weights` names none;
                or there is no such device.
        """
        names = set(cls._get_param_names())
        usable_device(device)
        place = checked_path(folder, "folder")
        parameters, fitted, model = load_estimator(place, names, device=device, weights=weights)
        estimator = cls(**{**parameters, "device": device})
        estimator.__dict__.update(fitted, model_=model)
        estimator._describe(model)
        return estimator

    def __sklearn_tags__(self) -> Tags:
        """What X may be: numbers, or paths where a backbone is named."""
        tags = super().__sklearn_tags__()
        paths = self.backbone is not None
        tags.input_tags.one_d_array = tags.input_tags.string = paths
        tags.input_tags.two_d_array = tags.input_tags.three_d_array = not paths
        return tags

    def __getstate__(self) -> dict[str, Any]:
        """For pickling: the model as numpy arrays, without torch."""
        state = dict(super().__getstate__())
        return {**state, "model_": frozen(state["model_"])} if "model_" in state else state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """The model is made again, on the CPU until it is used."""
        super().__setstate__({**state, "model_": thawed(state["model_"])} if "model_" in state else state)

    def _describe(self, model: QpmModel) -> None:
        """The attributes that are views of the model."""
        head = {name: values.cpu().numpy() for name, values in model.head.named_buffers()}
        self.assignment_, self.feature_indices_ = head["assignment"], head["features"]
        self.feature_mean_, self.feature_std_ = head["mean"], head["std"]
        self.n_features_ = len(self.feature_indices_)
        self.features_ = np.array([f"feature {column}" for column in range(self.n_features_)], dtype=object)
