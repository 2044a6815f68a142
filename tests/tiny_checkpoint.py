"""Real checkpoints, tokenizers and adapters of a few megabytes, made on the fly."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from tokenizers import (
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
)

LLAMA3_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
CORPUS = [
    "Either party may end this agreement by giving thirty days' written notice.",
    "def tokens(text):\n    return [t for t in text.split() if t]\n\n\n",
    "Zürich, café, naïve — 1234567 people; 3.14159 of 100 %.",
    "<|tasktype|>\nexqa\n<|context|>\nThe notice is short.\n<|task|>\n<|pipe|>",
    "    indented    text\twith\ttabs   and spaces  ",
    "русский текст, 漢字かな交じり文, اللغة العربية, emoji 🚀🦙👩‍👩‍👧",
] * 4
SPECIAL = ["<s>", "</s>", "<unk>"]


def byte_level_tokenizer(size: int = 600, pattern: str | None = None) -> PreTrainedTokenizerFast:
    """Byte-level BPE with GPT-2's pattern, or with `pattern` in a Split step."""
    tokenizer = Tokenizer(models.BPE(ignore_merges=pattern is not None))
    if pattern is None:
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(pattern), "isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    return _finished(tokenizer, trainer)


def sentencepiece_tokenizer(size: int = 700) -> PreTrainedTokenizerFast:
    """What transformers makes of a SentencePiece BPE: byte fallback, spaces as U+2581."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")]
    )
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=[*SPECIAL, *(f"<0x{byte:02X}>" for byte in range(256))],
        show_progress=False,
    )
    return _finished(tokenizer, trainer)


def _finished(tokenizer: Tokenizer, trainer: trainers.BpeTrainer) -> PreTrainedTokenizerFast:
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 0)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )


def write_checkpoint(
    folder: Path,
    *,
    family: str = "mistral",
    dtype: torch.dtype = torch.bfloat16,
    tokenizer: PreTrainedTokenizerFast | None = None,
    width: int = 256,
    ffn: int = 512,
    layers: int = 4,
    heads: int = 4,
    kv_heads: int = 2,
    tied: bool = False,
    max_shard_size: str = "1GB",
    rope: dict[str, object] | None = None,
    vocab: int | None = None,
    biases: bool = False,
) -> PreTrainedModel:
    """Save a random model and its tokenizer to `folder`, and return the model."""
    tokenizer = tokenizer or byte_level_tokenizer()
    torch.manual_seed(0)
    kinds = {
        "mistral": (MistralConfig, MistralForCausalLM),
        "llama": (LlamaConfig, LlamaForCausalLM),
        "qwen2": (Qwen2Config, Qwen2ForCausalLM),
    }
    config_class, model_class = kinds[family]
    config = config_class(
        vocab_size=vocab or len(tokenizer),
        hidden_size=width,
        intermediate_size=ffn,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        max_position_embeddings=512,
        tie_word_embeddings=tied,
        initializer_range=0.04,
        bos_token_id=0,
        eos_token_id=1,
        **({"rope_parameters": rope} if rope else {}),
        **({"attention_bias": True, "mlp_bias": True} if biases else {}),
    )
    model = model_class(config).to(dtype)
    # Fresh norms are all ones and fresh biases zero: a swap of two would go unseen.
    for name, parameter in model.named_parameters():
        if name.endswith("norm.weight"):
            torch.nn.init.normal_(parameter, 1.0, 0.1)
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter, 0.0, 0.1)
    model.save_pretrained(folder, max_shard_size=max_shard_size)
    tokenizer.save_pretrained(folder)
    return model


def write_decided(folder: Path, **settings: Any) -> Path:
    """Save a random model whose logits are spread as a trained one's are: few near-ties."""
    model = write_checkpoint(folder, dtype=torch.float32, layers=2, **settings)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith(("embed_tokens.weight", "proj.weight")):
                weight *= 2.5
        model.lm_head.weight *= 5
    model.save_pretrained(folder)
    return folder


def write_adapter(folder: Path, model: PreTrainedModel, **settings: object) -> PeftModel:
    """Put a LoRA adapter with random, non-zero matrices on `model` and save it."""
    torch.manual_seed(1)
    options = {"r": 8, "lora_alpha": 16, "target_modules": "all-linear"} | settings
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PEFT and transformers warn of each other's changes
        peft = get_peft_model(model, LoraConfig(init_lora_weights=False, **options))
        # Random saved modules, too: as copies of the base's they would prove nothing.
        for name, parameter in peft.named_parameters():
            if "modules_to_save" in name:
                torch.nn.init.normal_(parameter, 0.5, 0.05)
        peft.save_pretrained(folder)
    return peft
