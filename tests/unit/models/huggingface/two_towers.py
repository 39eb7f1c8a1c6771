"""Tiny CLIP and SigLIP folders with both towers and a tokenizer, and what transformers answers."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers as hf
from PIL import Image
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

from benchmarks.parity.hugging_face.tiny import SQUARE, VIT, shake
from models.contracts import check_params
from models.media.pictures import Picture
from models.runtime.network import ImageNetwork

TASK = "zero-shot-classification"
LABELS = ["a cat", "two dogs", "an owl's nest", "Crab, red!", "newt"]
BEGIN, END = "<|startoftext|>", "<|endoftext|>"
TEXT = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 48,
}


def clip_tokenizer() -> hf.CLIPTokenizer:
    """CLIP's, with its letters and a few words that it knows as such."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [("c", "a"), ("ca", "t</w>"), ("p", "h"), ("o", "t"), ("ph", "ot"), ("phot", "o</w>")]
    words = [*letters, *(each + "</w>" for each in letters), *map("".join, merges), BEGIN, END]
    return hf.CLIPTokenizer({word: at for at, word in enumerate(words)}, merges)


def siglip_tokenizer() -> hf.PreTrainedTokenizerFast:
    """As SigLIP's is published: small letters without punctuation, pieces of words, an end."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    pieces = ["<pad>", "</s>", "<unk>", "▁", *letters, "▁a", "▁photo", "▁cat", "▁dog", "of", "this"]
    made = Tokenizer(models.Unigram([(each, -float(at)) for at, each in enumerate(pieces)], 2))
    made.normalizer = normalizers.Sequence(
        [
            normalizers.Lowercase(),
            normalizers.Replace(Regex(r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~]"), ""),
            normalizers.Replace(Regex(r"\s+"), " "),
            normalizers.Strip(),
        ]
    )
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.post_processor = processors.TemplateProcessing("$A </s>", special_tokens=[("</s>", 1)])
    return hf.PreTrainedTokenizerFast(
        tokenizer_object=made,
        pad_token="</s>",
        eos_token="</s>",
        unk_token="<unk>",
        model_max_length=64,
        model_input_names=["input_ids"],
    )


@dataclass
class Towers:
    """A folder of two towers that was saved, and transformers' own of it."""

    folder: Path
    network: Any
    tokenizer: Any
    processor: Any

    def chances(self, picture: np.ndarray, labels: Sequence[str], template: str) -> list[float]:
        """What transformers' zero-shot pipeline says of each label."""
        pipe = hf.pipeline(
            "zero-shot-image-classification",
            model=self.network,
            tokenizer=self.tokenizer,
            image_processor=self.processor,
        )
        found = pipe(
            Image.fromarray(picture), candidate_labels=list(labels), hypothesis_template=template
        )
        by_label = {each["label"]: each["score"] for each in found}
        return [by_label[label] for label in labels]


def save(kind: str, folder: Path, pictures: Sequence[np.ndarray], seed: int = 3) -> Towers:
    """Make one of random numbers and save it; its answers to these pictures differ."""
    torch.manual_seed(seed)
    if kind == "clip":
        tokenizer = clip_tokenizer()
        text = {**TEXT, "vocab_size": len(tokenizer), "max_position_embeddings": 77}
        text |= {"eos_token_id": tokenizer.eos_token_id, "bos_token_id": tokenizer.bos_token_id}
        config = hf.CLIPConfig(vision_config=dict(VIT), text_config=text, projection_dim=24)
        network = hf.CLIPModel(config).eval()
        processor = hf.CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size=SQUARE)
    else:
        tokenizer = siglip_tokenizer()
        text = {**TEXT, "vocab_size": len(tokenizer), "max_position_embeddings": 64}
        config = hf.SiglipConfig(vision_config=dict(VIT), text_config=text)
        network = hf.SiglipModel(config).eval()
        processor = hf.SiglipImageProcessorPil(size=SQUARE)
    shake(network)
    _stretch(network, tokenizer, processor, pictures)
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    processor.save_pretrained(folder)
    return Towers(folder, network, tokenizer, processor)


def _stretch(network: Any, tokenizer: Any, processor: Any, pictures: Sequence[np.ndarray]) -> None:
    """Have chances differ by much: random networks say the same of all labels."""
    fills = {"padding": "max_length", "max_length": 64}
    given = tokenizer(
        [f"This is a photo of {label}." for label in LABELS],
        return_tensors="pt",
        **(fills if hasattr(network, "logit_bias") else {"padding": True}),
    )
    pixels = processor(images=list(pictures), return_tensors="pt")["pixel_values"]
    with torch.no_grad():
        out = network(pixel_values=pixels, **given)
        cosines = out.image_embeds @ out.text_embeds.t()
        spread = 1.5 / cosines.std(1).mean()
        network.logit_scale.fill_(spread.log())
        if hasattr(network, "logit_bias"):
            network.logit_bias.fill_(-cosines.mean() * spread)


def without_tokenizer_json(folder: Path) -> None:
    """Leave a CLIP folder with the files that older ones have."""
    model = json.loads((folder / "tokenizer.json").read_text())["model"]
    (folder / "vocab.json").write_text(json.dumps(model["vocab"]))
    lines = [each if isinstance(each, str) else " ".join(each) for each in model["merges"]]
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *lines, ""]))
    (folder / "tokenizer.json").unlink()


def asked(**params: Any) -> dict[str, Any]:
    return check_params(TASK, {"labels": LABELS, "top_k": 100, **params})


def answers(network: ImageNetwork, pictures: Sequence[np.ndarray], *jobs: dict[str, Any]) -> list:
    """Run each picture for each job, all in one batch; gives a list of answers a job."""
    samples = []
    for params in jobs:
        texts = network.forward(network.prepare_texts(network.texts(params)))
        for each in pictures:
            sample = network.sample(Picture(each, each.shape[1], each.shape[0]))
            samples.append(replace(sample, texts=texts))
    outputs, count = network.forward(samples), len(pictures)
    return [
        network.postprocess(outputs[at * count : (at + 1) * count], params)
        for at, params in enumerate(jobs)
    ]
