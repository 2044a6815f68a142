"""Converted vocabularies against the real ones: are all tokens of varied text the same?

    PYTHONPATH=tests:tests/convert python benchmarks/vocabularies.py \\
        TOKENIZER_MODEL LLAMA_CPP_SOURCES [--texts 10000]

TOKENIZER_MODEL is Mistral-7B-v0.1's SentencePiece model (mistral-common carries it as
`tokenizer.model.v1`): its tokens come from sentencepiece itself. LLAMA_CPP_SOURCES holds
`models/ggml-vocab-llama-bpe.gguf`, Llama 3's vocabulary: a `tokenizer.json` is made of its
tokens and merges, and its tokens come from Hugging Face's tokenizers. Each is converted with
a small random model, and llama.cpp tokenizes with the result.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import sentencepiece
from gguf import GGUFReader
from gguf_reference import tokenize
from test_vocab import split_on, varied, with_model_only
from tiny_checkpoint import LLAMA3_PATTERN, write_checkpoint
from tokenizers import AddedToken, Tokenizer, decoders, models, processors
from transformers import PreTrainedTokenizerFast

from bonito_local.convert.pipeline import convert


def llama3(vocabulary: Path) -> PreTrainedTokenizerFast:
    """Llama 3's tokenizer, from the GGUF that llama.cpp tests its own with."""
    fields = GGUFReader(vocabulary).fields
    tokens = fields["tokenizer.ggml.tokens"].contents()
    kinds = fields["tokenizer.ggml.token_type"].contents()
    merges = [tuple(m.split(" ")) for m in fields["tokenizer.ggml.merges"].contents()]
    normal = {t: i for i, (t, kind) in enumerate(zip(tokens, kinds, strict=True)) if kind == 1}
    tokenizer = Tokenizer(models.BPE(normal, merges, ignore_merges=True))
    special = [t for t, kind in zip(tokens, kinds, strict=True) if kind != 1]
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in special])
    tokenizer.pre_tokenizer = split_on(LLAMA3_PATTERN)
    tokenizer.decoder = decoders.ByteLevel()
    begin, end = "<|begin_of_text|>", "<|end_of_text|>"
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{begin} $A", special_tokens=[(begin, tokenizer.token_to_id(begin))]
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=begin, eos_token=end)


def compare(name: str, texts: list[str], want: list[list[int]], folder: Path) -> bool:
    out = folder / "vocabulary.gguf"
    convert(folder, out, quant="Q8_0")
    got = tokenize(out, texts)
    wrong = [t for t, a, b in zip(texts, want, got, strict=True) if a != b]
    print(f"{name}: {len(texts) - len(wrong)} of {len(texts)} texts have the same tokens")
    for text in wrong[:5]:
        print(f"  {text!r}")
    return not wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tokenizer_model", type=Path)
    parser.add_argument("llama_cpp", type=Path)
    parser.add_argument("--texts", type=int, default=10_000)
    args = parser.parse_args()
    texts = varied(args.texts)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made, "mistral")
        processor = sentencepiece.SentencePieceProcessor(model_file=str(args.tokenizer_model))
        with_model_only(folder, args.tokenizer_model, processor.vocab_size())
        markers = ("<s>", "</s>", "<unk>")  # to sentencepiece itself these are plain text
        plain = [t for t in texts if t and not any(m in t for m in markers)]
        want = [[processor.bos_id(), *processor.encode(t)] for t in plain]
        same = compare("Mistral-7B-v0.1", plain, want, folder)

        tokenizer = llama3(args.llama_cpp / "models/ggml-vocab-llama-bpe.gguf")
        folder = Path(made, "llama3")
        write_checkpoint(folder, tokenizer=tokenizer, layers=1, width=64, ffn=64)
        same &= compare("Llama 3", texts, [tokenizer.encode(t) for t in texts], folder)
    sys.exit(not same)


if __name__ == "__main__":
    main()
