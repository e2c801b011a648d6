"""`fx.metrics`: how good predictions are, over batches that come one after the other, and over processes.

A metric is a frozen description of pure functions on a state, which is a pytree of arrays:

    metric = fx.metrics.Accuracy()
    state = metric.init()
    for batch in data:
        state = metric.update(state, predict(batch.x), batch.y)    # may be jitted
    metric.compute(state)

`merge(a, b)` joins the states of two parts of the data, on whatever processes they were made: the result is that of all
data at once, not a mean of results. Each metric is also a function of all data: `fx.metrics.accuracy(logits, labels)`.
"""

from __future__ import annotations

from ._classification import (
    Accuracy as Accuracy,
    ConfusionMatrix as ConfusionMatrix,
    FBeta as FBeta,
    Precision as Precision,
    Recall as Recall,
    TopKAccuracy as TopKAccuracy,
    accuracy as accuracy,
    confusion_matrix as confusion_matrix,
    f1 as f1,
    fbeta as fbeta,
    precision as precision,
    recall as recall,
    top_k_accuracy as top_k_accuracy,
)
from ._metric import (
    Collection as Collection,
    Mean as Mean,
    Metric as Metric,
)
from ._ranking import (
    AveragePrecision as AveragePrecision,
    RocAuc as RocAuc,
    average_precision as average_precision,
    precision_recall_curve as precision_recall_curve,
    roc_auc as roc_auc,
    roc_curve as roc_curve,
)
from ._regression import (
    R2 as R2,
    MeanAbsoluteError as MeanAbsoluteError,
    MeanSquaredError as MeanSquaredError,
    mae as mae,
    mse as mse,
    r2 as r2,
    rmse as rmse,
)
from ._text import (
    Bleu as Bleu,
    Perplexity as Perplexity,
    bleu as bleu,
    perplexity as perplexity,
)
