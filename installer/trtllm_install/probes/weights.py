"""Reads one instance's checkpoint by its headers: complete, of which kind, open to whom."""

import json
import posixpath
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, TypeVar

from trtllm_install.host.protocol import Entry, Host
from trtllm_install.model.architecture import parse_architecture
from trtllm_install.model.errors import HostError
from trtllm_install.model.facts import (
    FileFault,
    FileProblem,
    RemoteCode,
    Unknown,
    WeightsFacts,
)
from trtllm_install.model.installation import Instance
from trtllm_install.probes.access import blocked_paths
from trtllm_install.probes.auto_map import parse_auto_map
from trtllm_install.probes.download import download_user, unfinished
from trtllm_install.probes.index import parse_index
from trtllm_install.probes.safetensors import read_header
from trtllm_install.probes.weights_folder import in_the_way

JSON_LIMIT: Final = 32_000_000  # bytes; Qwen3-30B's index has 5 MB, a config.json some kB
CODE_LIMIT: Final = 4_000_000  # bytes; Nemotron's largest module has 80 kB
SINGLE: Final = "model.safetensors"
INDEX: Final = "model.safetensors.index.json"
Parsed = TypeVar("Parsed")
TOKENIZERS: Final = (("tokenizer.json",), ("tokenizer.model",), ("vocab.json", "merges.txt"))


def probe_weights(host: Host, instance: Instance) -> WeightsFacts | Unknown:
    """Return what the checkpoint is; a folder that is not there is a fact, not a failure."""
    try:
        return _Reading(host=host, folder=instance.weights).facts(instance.name)
    except HostError as error:
        return Unknown(reason=error.message)


@dataclass(slots=True)
class _Reading:
    host: Host
    folder: str
    names: tuple[str, ...] = ()
    problems: list[FileProblem] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)  # what was asked for -> its real path
    tensors: int = 0
    size: int = 0
    data: int = 0
    dtypes: Counter[str] = field(default_factory=Counter)

    def facts(self, instance: str) -> WeightsFacts:
        self.names = self.host.names_in(self.folder)
        if not any(n == "config.json" or n.endswith((".safetensors", INDEX)) for n in self.names):
            return WeightsFacts(
                instance=instance,
                folder=self.folder,
                present=False,
                in_the_way=in_the_way(self.host, self.folder),
                unfinished=unfinished(self.host, self.folder),
                download_as=download_user(self.host, self.folder),
            )
        config = self._json("config.json") or {}
        quantization, kv_cache = self._quantization(config)
        self._tokenizer()
        shards = self._shards()
        remote_code = tuple(self._code())
        elsewhere = self._elsewhere(config)
        architectures = config.get("architectures")
        longest = config.get("max_position_embeddings")
        return WeightsFacts(
            instance=instance,
            folder=self.folder,
            present=True,
            problems=tuple(self.problems),
            blocked=blocked_paths(self.host, self.folder, self.files),
            links_out=self._links_out(),
            model_type=str(config.get("model_type", "")),
            architectures=tuple(map(str, architectures)) if isinstance(architectures, list) else (),
            quantization=quantization,
            kv_cache_quantization=kv_cache,
            architecture=parse_architecture(config),
            longest=longest if isinstance(longest, int) and longest > 0 else 0,
            remote_code=remote_code,
            code_elsewhere=elsewhere,
            shards=len(shards),
            tensors=self.tensors,
            size=self.size,
            dtypes=tuple(self.dtypes.most_common()),
            unfinished=unfinished(self.host, self.folder),
            download_as=download_user(self.host, self.folder),
        )

    def _links_out(self) -> tuple[str, ...]:
        """Return the folders outside this one in which files of the checkpoint really lie."""
        real = {posixpath.dirname(path) for path in self.files.values()}
        return tuple(sorted(r for r in real if not f"{r}/".startswith(f"{self.folder}/")))

    def _entry(self, name: str) -> tuple[str, Entry] | None:
        """Return the real path and entry of a file of the folder; None, and why, without one."""
        real = self.host.resolve(f"{self.folder}/{name}")
        entry = self.host.look(real)
        if entry is None:
            return None
        if entry.kind != "file":
            # A pipe or a device is never opened: that could block, or do something.
            word = {"link": "a link that leads nowhere", "directory": "a folder"}
            self._add("not-a-file", name, word.get(entry.kind, "a pipe or device"), "a file")
            return None
        self.files[name] = real
        return real, entry

    def _required(self, name: str, expected: str) -> tuple[str, Entry] | None:
        """Return as ``_entry`` does, and note a file that is not there."""
        before = len(self.problems)
        at = self._entry(name)
        if at is None and len(self.problems) == before:
            self._add("absent", name, "no such file", expected)
        return at

    def _json(self, name: str, *, required: bool = True) -> dict[str, object] | None:
        value = self._parsed(name, json.loads, required=required)
        if value is not None and not isinstance(value, dict):
            self._add("config", name, "JSON that is no object", "a JSON object")
            return None
        return value

    def _parsed(
        self, name: str, parse: Callable[[str], Parsed], *, required: bool = True
    ) -> Parsed | None:
        """Return what ``parse`` makes of a JSON file; None, and why, where it cannot."""
        at = self._required(name, "a JSON object") if required else self._entry(name)
        if at is None:
            return None
        path, size = at[0], at[1].size
        if size > JSON_LIMIT:
            self._add("config", name, f"{size} bytes", f"{JSON_LIMIT} bytes of JSON at most")
            return None
        try:
            # Decoded first, so that the bytes are gone while 6 MB of an index are parsed.
            return parse(_text(self.host.read(path, limit=size)))
        except (ValueError, RecursionError) as error:
            where = ""
            if isinstance(error, json.JSONDecodeError):
                where = f" at line {error.lineno}, character {error.pos}"
            self._add("config", name, f"{size} bytes that are not JSON{where}", "JSON")
            return None

    def _code(self) -> Iterator[RemoteCode]:
        """Yield every Python file, with the hash of what would run."""
        for name in self.names:
            if name.endswith(".py") and (at := self._entry(name)):
                digest = ""
                if at[1].size <= CODE_LIMIT:
                    digest = sha256(self.host.read(at[0], limit=CODE_LIMIT) or b"").hexdigest()
                yield RemoteCode(name=name, sha256=digest)

    def _elsewhere(self, config: Mapping[str, object]) -> tuple[str, ...]:
        tokenizer = self._json("tokenizer_config.json", required=False) or {}
        return tuple(dict.fromkeys((*parse_auto_map(config), *parse_auto_map(tokenizer))))

    def _quantization(self, config: Mapping[str, object]) -> tuple[str, str]:
        """Return what ModelOpt's own file states, else what config.json does."""
        told = (self._json("hf_quant_config.json", required=False) or {}).get("quantization")
        both = [x for x in (told, config.get("quantization_config")) if isinstance(x, Mapping)]

        def said(*keys: str) -> str:
            return next((str(x[k]) for x in both for k in keys if x.get(k)), "")

        # ModelOpt writes FP8; compressed-tensors a scheme of so many bits.
        scheme = next((x["kv_cache_scheme"] for x in both if x.get("kv_cache_scheme")), None)
        cache = said("kv_cache_quant_algo")
        if not cache and isinstance(scheme, Mapping) and isinstance(scheme.get("num_bits"), int):
            cache = {8: "FP8", 4: "NVFP4"}.get(scheme["num_bits"], "")
        return said("quant_algo", "quant_method"), cache

    def _tokenizer(self) -> None:
        for names in TOKENIZERS:
            if any(n in self.names for n in names) and all(self._entry(n) for n in names):
                return
        if not any(p.fault == "not-a-file" and "token" in p.path for p in self.problems):
            wanted = "tokenizer.json, tokenizer.model, or vocab.json with merges.txt"
            self._add("absent", "tokenizer.json", "no such file", wanted)

    def _shards(self) -> frozenset[str]:
        """Check every shard that the checkpoint has to have; return their names."""
        if INDEX not in self.names:
            if SINGLE in self.names:
                self._shard(SINGLE, ())
            else:
                self._add("absent", INDEX, "no such file", f"it, or {SINGLE}")
            return frozenset({SINGLE})
        before = len(self.problems)
        index = self._parsed(INDEX, parse_index)
        if index is None:
            if len(self.problems) == before:
                self._add("config", INDEX, "no weight_map", "a map of tensors to shards")
            return frozenset()
        for shard, tensors in sorted(index.shards.items()):
            # A name that leads elsewhere would let an index make us read any file.
            if "/" in shard or shard in {"", ".", ".."}:
                self._add("config", INDEX, f"the shard name {shard[:80]!r}", "a plain file name")
            else:
                self._shard(shard, tensors)
        if len(self.problems) == before and index.total not in {None, self.data}:
            expected = f"the {self.data} bytes that its shards hold"
            self._add("total", INDEX, f"a total_size of {index.total} bytes", expected)
        return frozenset(index.shards)

    def _shard(self, name: str, tensors: Sequence[str]) -> None:
        at = self._required(name, f"a shard that {INDEX} names")
        if at is None:
            return
        size = at[1].size
        self.size += size
        header = read_header(self.host, at[0], size)
        if isinstance(header, FileProblem):
            self._add(header.fault, name, header.found, header.expected)
            return
        self.tensors += len(header.tensors)
        self.data += header.data
        self.dtypes.update(header.dtypes)
        if size != header.length:
            fault: FileFault = "short" if size < header.length else "long"
            expected = f"{header.length} bytes as its header says"
            self._add(fault, name, f"{size} bytes", expected)
        lacking = sorted(t for t in tensors if t not in header.tensors)
        if lacking:
            found = f"{len(lacking)} of {len(tensors)} tensors lacking, first {lacking[0][:80]}"
            self._add("differs", name, found, f"the tensors that {INDEX} puts there")

    def _add(self, fault: FileFault, name: str, found: str, expected: str) -> None:
        path = f"{self.folder}/{name}"
        self.problems.append(FileProblem(fault=fault, path=path, found=found, expected=expected))


def _text(raw: bytes | None) -> str:
    return (raw or b"").decode(json.detect_encoding(raw or b""))
