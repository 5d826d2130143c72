"""Reads one instance's checkpoint by its headers: complete, of which kind, open to whom."""

import json
import posixpath
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Final

from trtllm_install.host.protocol import Entry, Host
from trtllm_install.model.errors import HostError
from trtllm_install.model.facts import FileFault, FileProblem, Unknown, WeightsFacts
from trtllm_install.model.installation import Instance
from trtllm_install.probes.access import blocked_paths
from trtllm_install.probes.safetensors import read_header

JSON_LIMIT: Final = 100_000_000  # bytes of an index; Qwen3-30B's has 5 MB
SINGLE: Final = "model.safetensors"
INDEX: Final = "model.safetensors.index.json"
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

    def facts(self, instance: str) -> WeightsFacts:
        self.names = self.host.names_in(self.folder)
        if not any(n == "config.json" or n.endswith((".safetensors", INDEX)) for n in self.names):
            return WeightsFacts(instance=instance, folder=self.folder, present=False)
        config = self._json("config.json") or {}
        quantization, kv_cache = self._quantization(config)
        self._tokenizer()
        shards = self._shards()
        remote_code = tuple(n for n in self.names if n.endswith(".py"))
        for name in remote_code:
            self._entry(name)
        architectures = config.get("architectures")
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
            remote_code=remote_code,
            shards=len(shards),
            tensors=self.tensors,
            size=self.size,
        )

    def _links_out(self) -> tuple[str, ...]:
        """Return the folders outside this one in which files of the checkpoint really lie."""
        real = {posixpath.dirname(path) for path in self.files.values()}
        return tuple(sorted(r for r in real if not f"{r}/".startswith(f"{self.folder}/")))

    def _entry(self, name: str) -> tuple[str, Entry] | None:
        """Return the real path and entry of a file of the folder, None where it is absent."""
        real = self.host.resolve(f"{self.folder}/{name}")
        entry = self.host.look(real)
        if entry is None or entry.kind != "file":
            return None
        self.files[name] = real
        return real, entry

    def _json(self, name: str, *, required: bool = True) -> dict[str, object] | None:
        at = self._entry(name)
        if at is None:
            if required:
                self._add("absent", name, "no such file", "a JSON object")
            return None
        try:
            value = json.loads(self.host.read(at[0], limit=JSON_LIMIT) or b"")
        except (ValueError, RecursionError) as error:
            line = f", line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
            self._add("damaged", name, f"{at[1].size} bytes that are not JSON{line}", "JSON")
            return None
        if not isinstance(value, dict):
            self._add("damaged", name, "JSON that is no object", "a JSON object")
            return None
        return value

    def _quantization(self, config: dict[str, object]) -> tuple[str, str]:
        """Return what ModelOpt's own file states, else what config.json does."""
        told = self._json("hf_quant_config.json", required=False) or {}
        inner = told.get("quantization") or config.get("quantization_config")
        if not isinstance(inner, dict):
            return "", ""
        algorithm = inner.get("quant_algo") or inner.get("quant_method") or ""
        return str(algorithm), str(inner.get("kv_cache_quant_algo") or "")

    def _tokenizer(self) -> None:
        for names in TOKENIZERS:
            if all(self._entry(n) for n in names):
                return
        wanted = "tokenizer.json, tokenizer.model, or vocab.json with merges.txt"
        self._add("absent", "tokenizer.json", "no such file", wanted)

    def _shards(self) -> frozenset[str]:
        """Check every shard that the checkpoint has to have; return their names."""
        if INDEX not in self.names:
            if SINGLE in self.names:
                self._shard(SINGLE, frozenset())
            else:
                self._add("absent", INDEX, "no such file", f"it, or {SINGLE}")
            return frozenset({SINGLE})
        tensor_shards = (self._json(INDEX) or {}).get("weight_map")
        if not isinstance(tensor_shards, dict) or not tensor_shards:
            if not any(p.path.endswith(INDEX) for p in self.problems):
                self._add("damaged", INDEX, "no weight_map", "a map of tensors to shards")
            return frozenset()
        wanted: defaultdict[str, set[str]] = defaultdict(set)
        for tensor, shard in tensor_shards.items():
            wanted[str(shard)].add(tensor)
        for shard, tensors in sorted(wanted.items()):
            # A name that leads elsewhere would let an index make us read any file.
            if "/" in shard or shard in {"", ".", ".."}:
                self._add("damaged", INDEX, f"the shard name {shard[:80]!r}", "a plain file name")
            else:
                self._shard(shard, frozenset(tensors))
        return frozenset(wanted)

    def _shard(self, name: str, tensors: frozenset[str]) -> None:
        at = self._entry(name)
        if at is None:
            self._add("absent", name, "no such file", f"a shard that {INDEX} names")
            return
        size = at[1].size
        self.size += size
        header = read_header(self.host, at[0], size)
        if isinstance(header, FileProblem):
            self._add(header.fault, name, header.found, header.expected)
            return
        self.tensors += len(header.tensors)
        if size != header.length:
            fault: FileFault = "short" if size < header.length else "long"
            expected = f"{header.length} bytes as its header says"
            self._add(fault, name, f"{size} bytes", expected)
        lacking = sorted(tensors - header.tensors)
        if lacking:
            found = f"{len(lacking)} of {len(tensors)} tensors lacking, first {lacking[0][:80]}"
            self._add("differs", name, found, f"the tensors that {INDEX} puts there")

    def _add(self, fault: FileFault, name: str, found: str, expected: str) -> None:
        path = f"{self.folder}/{name}"
        self.problems.append(FileProblem(fault=fault, path=path, found=found, expected=expected))
