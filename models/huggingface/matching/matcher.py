"""CLIP and SigLIP as a whole: both towers, and how near a picture is to a text."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from models.huggingface.heads import Head
from models.huggingface.matching.tokenizer import Tokenizer
from models.huggingface.model_types import Matching


class Matcher(Head):
    """Features of pictures and of texts, and the chance of each text to tell what is shown.

    What each of it takes and gives stands in models/tasks/zero_shot_classification.py.
    """

    def __init__(self, network: nn.Module, matching: Matching, options: Mapping[str, Any]) -> None:
        """Hold transformers' network; `options` are those of its tokenizer."""
        super().__init__(network)
        self._matching, self._options = matching, options
        self._tokenizer: Tokenizer | None = None

    def take(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Take the tokenizer from the file; raises WeightsError or RecordError."""
        config: Any = self.network.config
        texts = config.text_config
        self._tokenizer = Tokenizer(
            tensors,
            self._options,
            self._matching,
            int(texts.max_position_embeddings),
            int(texts.vocab_size),
        )

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        """Give features of pictures, (B, d), of unit length."""
        network: Any = self.network
        return _of_unit_length(network.get_image_features(pixel_values=batch).pooler_output)

    def tokens(self, texts: Sequence[str]) -> list[tuple[int, ...]]:
        """Give the numbers of each text's tokens; raises ParamsError."""
        assert self._tokenizer is not None
        return self._tokenizer.tokens(texts)

    def read(self, tokens: Any, device: Any) -> torch.Tensor:
        """Give features of texts, (n, d), of unit length."""
        assert self._tokenizer is not None
        network: Any = self.network
        batch = self._tokenizer.batch(tokens, device)
        return _of_unit_length(network.get_text_features(**batch).pooler_output)

    def chances(self, features: torch.Tensor, texts: torch.Tensor) -> torch.Tensor:
        """Give each picture's chance of each text, float32 (B, n)."""
        network: Any = self.network
        # Cosines are told apart by their last digits, which a lower precision has not.
        with torch.autocast(features.device.type, enabled=False):
            cosines = features.float() @ texts.float().t()
            logits: torch.Tensor = cosines * network.logit_scale.exp()
            if not self._matching.each_alone:
                return logits.softmax(1)
            return torch.sigmoid(logits + network.logit_bias)


def _of_unit_length(given: torch.Tensor) -> torch.Tensor:
    features = given.float()
    norms: torch.Tensor = torch.linalg.vector_norm(features, dim=-1, keepdim=True)
    return features / norms
