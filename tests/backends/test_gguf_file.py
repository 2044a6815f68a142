"""The check of a GGUF's layout, and what llama.cpp is spared by it."""

from __future__ import annotations

import os
import random
import struct
import subprocess
import sys
import tracemalloc
from contextlib import suppress
from math import prod
from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFReader, GGUFWriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_model import vocabulary, write_tiny_gguf

from bonito_local.backends.llamacpp.gguf_file import read_header
from bonito_local.backends.llamacpp.model import Model
from bonito_local.errors import ModelError


def test_reads_what_gguf_py_reads(tiny_gguf: Path) -> None:
    header, reader = read_header(tiny_gguf), GGUFReader(tiny_gguf)
    assert header.tensors == {t.name: tuple(int(n) for n in t.shape) for t in reader.tensors}
    assert header.metadata["general.architecture"] == "llama"
    assert header.metadata["llama.embedding_length"] == 64
    assert header.metadata["llama.rope.freq_base"] == 10000.0
    assert header.metadata["tokenizer.ggml.add_bos_token"] is True
    assert header.arrays["tokenizer.ggml.tokens"] == len(vocabulary()[0])


@pytest.mark.skipif(sys.platform != "linux", reason="file names must be Unicode elsewhere")
def test_a_file_name_that_is_not_utf8(tiny_gguf: Path, tmp_path: Path) -> None:
    path = tmp_path / "mod\udce9l.gguf"
    path.write_bytes(tiny_gguf.read_bytes())
    Model(path, repack=False).close()


@pytest.fixture(scope="module")
def content(tiny_gguf: Path) -> bytes:
    return tiny_gguf.read_bytes()


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("broken") / "model.gguf"


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(share=st.floats(0, 1, exclude_max=True))
def test_every_truncation_is_a_clean_error(content: bytes, scratch: Path, share: float) -> None:
    scratch.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ModelError, match=r"incomplete|not a GGUF file"):
        Model(scratch, repack=False)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_damaged_headers_never_raise_anything_else(
    content: bytes, scratch: Path, data: st.DataObject
) -> None:
    header = content[: content.index(b"blk.1.ffn_down.weight") + 64]
    broken = bytearray(content)
    for place in data.draw(st.lists(st.integers(0, len(header) - 1), min_size=1, max_size=6)):
        broken[place] = data.draw(st.integers(0, 255))
    scratch.write_bytes(broken)
    # Anything but a ModelError fails the test; bytes that do no harm may change freely.
    with suppress(ModelError):
        read_header(scratch)


def test_twenty_thousand_mutations(scratch: Path) -> None:
    """Bytes changed, cut out, put in and repeated: a clean error or a header, in little memory."""
    writer = GGUFWriter(scratch, "llama")
    writer.add_block_count(2)
    writer.add_rope_freq_base(1e4)
    writer.add_token_list([f"token{i}" for i in range(20)])
    writer.add_token_scores([float(i) for i in range(20)])
    for name in ("token_embd.weight", "output_norm.weight"):
        writer.add_tensor(name, np.zeros((2, 32), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    good = scratch.read_bytes()
    header = good.index(b"output_norm.weight") + 64
    numbers = [n.to_bytes(8, "little") for n in (0, 1, 2**31, 2**32 - 1, 2**60, 2**64 - 1)]
    source = random.Random(4)
    accepted = 0
    tracemalloc.start()
    for _ in range(20_000):
        mutant = bytearray(good)
        for _ in range(source.randint(1, 4)):
            place = source.randrange(4, header)
            match source.randrange(5):
                case 0:
                    mutant[place] = source.randrange(256)
                case 1:
                    del mutant[place : place + source.randint(1, 20)]
                case 2:
                    mutant[place:place] = source.choice(numbers)
                case 3:
                    mutant[place : place + 8] = source.choice(numbers)
                case 4:
                    mutant[place:place] = mutant[place : place + source.randint(1, 60)]
        scratch.write_bytes(mutant)
        with suppress(ModelError):
            found = read_header(scratch)
            accepted += 1
            assert sum(map(prod, found.tensors.values())) <= 8 * len(mutant)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 0 < accepted < 10_000
    assert peak < 2_000_000


@pytest.mark.parametrize(
    ("version", "kind", "shape", "said"),
    [
        (3, 0, (32, 2), None),
        (2, 0, (32, 2), None),
        (1, 0, (32, 2), "has GGUF version 1, not 2 or 3"),
        (4, 0, (32, 2), "has GGUF version 4, not 2 or 3"),
        (3, 99, (32, 2), "holds a tensor of unknown type 99"),
        (3, 8, (33, 2), r"tensor 'a' has shape \(33, 2\)"),  # Q8_0 has blocks of 32
        (3, 0, (0, 2), r"tensor 'a' has shape \(0, 2\)"),
        (3, 0, (1,) * 9, "tensor 'a' is malformed"),
    ],
)
def test_a_tensor_as_the_header_tells_of_it(
    version: int, kind: int, shape: tuple[int, ...], said: str | None, scratch: Path
) -> None:
    head = b"GGUF" + struct.pack("<IQQ", version, 1, 0)
    tensor = struct.pack(f"<QcI{len(shape)}QIQ", 1, b"a", len(shape), *shape, kind, 0)
    padding = bytes(-len(head + tensor) % 32)
    scratch.write_bytes(head + tensor + padding + bytes(4 * prod(shape)))
    if said is None:
        assert read_header(scratch).tensors == {"a": shape}
        scratch.write_bytes(scratch.read_bytes()[:-1])
        said = "incomplete"
    with pytest.raises(ModelError, match=said):
        read_header(scratch)


def test_random_bytes_are_not_a_model(scratch: Path) -> None:
    for data in (b"", b"GGUF", b"PK\x03\x04" + bytes(100), b"GGUF\x09\0\0\0" + bytes(64)):
        scratch.write_bytes(data)
        with pytest.raises(ModelError):
            read_header(scratch)


def test_a_damaged_file_does_not_end_the_process(content: bytes, scratch: Path) -> None:
    """Changes that llama.cpp itself answers with an abort, or may, each in a process."""
    tokens = vocabulary()[0]
    twice = content.replace(tokens[5].encode(), tokens[6].encode(), 1)
    layers = content.replace(b"llama.block_count\x04\0\0\0\x02", b"llama.block_count\x04\0\0\0\0")
    heads = content.replace(b"head_count\x04\0\0\0\x04", b"head_count\x04\0\0\0\0")
    epsilon = content.replace(np.float32(1e-5).tobytes(), np.float32(-1).tobytes())
    eos = content.replace(b"eos_token_id\x04\0\0\0\1\0\0\0", b"eos_token_id\x04\0\0\0\1\0\xff\0")
    for broken in (twice, layers, heads, epsilon, eos):
        assert broken != content
        scratch.write_bytes(broken)
        code = (
            "import sys; from pathlib import Path\n"
            "from bonito_local.backends.llamacpp.engine import LlamaCpp\n"
            "from bonito_local.backends.llamacpp.settings import Settings\n"
            "from bonito_local.backends.base import Request, Sample, Sampling\n"
            "from bonito_local.errors import ModelError\n"
            "try: engine = LlamaCpp(Path(sys.argv[1]), Settings(n_seq=1, threads=1), n_ctx=256)\n"
            "except ModelError as error: print(error)\n"
            "else: list(engine.generate([Request('r', 'x', Sampling(), (Sample(0, 0),))]))\n"
        )
        ended = subprocess.run(
            [sys.executable, "-c", code, str(scratch)],
            capture_output=True,
            text=True,
            env=os.environ | {"GGML_NO_BACKTRACE": "1"},
            check=False,
        )
        assert ended.returncode == 0, ended.stderr


def test_counts_that_would_run_forever_are_refused(scratch: Path) -> None:
    huge = (1 << 62).to_bytes(8, "little")
    scratch.write_bytes(b"GGUF\x03\0\0\0" + bytes(8) + huge + bytes(64))
    with pytest.raises(ModelError, match="counts"):
        read_header(scratch)


def test_tensor_past_the_end_and_overlapping_names(tmp_path: Path) -> None:
    path = write_tiny_gguf(tmp_path / "m.gguf")
    data = bytearray(path.read_bytes())
    at = data.index(b"output_norm.weight") + len("output_norm.weight")
    data[at + 4 : at + 12] = (1 << 40).to_bytes(8, "little")
    path.write_bytes(data)
    with pytest.raises(ModelError, match="incomplete"):
        read_header(path)


def test_unreadable(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="No such file"):
        read_header(tmp_path / "none.gguf")
    with pytest.raises(ModelError, match="is no file"):
        read_header(tmp_path)


def test_vocabulary_only(tmp_path: Path) -> None:
    writer = GGUFWriter(tmp_path / "vocab.gguf", "llama")
    writer.add_token_list(["a", "b"])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    assert read_header(tmp_path / "vocab.gguf").tensors == {}
    with pytest.raises(ModelError, match="no weights"):
        Model(tmp_path / "vocab.gguf", repack=False)
