"""The files of a tokenizer beside exported weights, made from the tokenizer itself, so that they name no folder."""

from __future__ import annotations

import json
from typing import Any

from ....json_text import parse_json
from ...checkpoints.info import CheckpointInfo
from ...tokenizing.tokenizer import FastTokenizer

#: Enough for the tokenizer of SigLIP 2, with 256,000 words and 580,000 merges.
MAX_MARKS = 20_000_000


def tokenizer_files(info: CheckpointInfo, tokenizer: FastTokenizer) -> dict[str, bytes]:
    """``tokenizer.json``, its configuration, and for CLIP ``vocab.json`` and ``merges.txt``, by their names."""
    whole: dict[str, Any] = parse_json(tokenizer.to_json(), max_marks=MAX_MARKS)
    names = {number: text for text, number in tokenizer.vocabulary.items()}
    special = tokenizer.special
    end, pad = names[special.end[-1]], names.get(special.pad, "")
    config: dict[str, Any] = {"eos_token": end, "pad_token": pad or end, "model_max_length": special.context}
    files: dict[str, bytes] = {}
    if info.family in ("clip", "longclip") and special.begin:
        begin = names[special.begin[0]]
        config |= {"tokenizer_class": "CLIPTokenizer", "bos_token": begin, "unk_token": end, "do_lower_case": True}
        # transformers 4 takes the special tokens of a text from here
        whole["post_processor"] = {
            "type": "RobertaProcessing", "sep": [end, special.end[-1]], "cls": [begin, special.begin[0]],
            "trim_offsets": False, "add_prefix_space": False,
        }  # fmt: skip
        merges = (" ".join(pair) if isinstance(pair, list) else pair for pair in whole["model"]["merges"])
        files["vocab.json"] = _json(whole["model"]["vocab"])
        files["merges.txt"] = ("#version: 0.2\n" + "\n".join(merges) + "\n").encode()
    else:
        config["tokenizer_class"] = "PreTrainedTokenizerFast"
    return files | {"tokenizer.json": _json(whole), "tokenizer_config.json": _json(config)}


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=2).encode() + b"\n"
