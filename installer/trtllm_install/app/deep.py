"""Reads and hashes every file of the weights, goes on where a run was cut off, and judges it."""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from threading import Event, Lock

from trtllm_install.app.observe import Judged
from trtllm_install.app.options import Options
from trtllm_install.app.reporter import Progress, Reporter
from trtllm_install.host.protocol import Host
from trtllm_install.judge.deep import judge_deep
from trtllm_install.model.errors import HostError, Interrupted
from trtllm_install.model.findings import accepted
from trtllm_install.model.hashes import Algorithm, DeepFacts, HashedFile, WeightFile
from trtllm_install.probes.weight_files import probe_weight_files
from trtllm_install.receipts.hashes import (
    manifest_path,
    read_hashes,
    read_manifest,
    write_hashes,
    write_manifest,
)

# One file keeps a thread that reads and one that hashes busy; a fast disk wants several files.
_FILES_AT_ONCE = max(2, min(8, (os.cpu_count() or 2) // 2))
_TOLD_EVERY_S = 0.2
_Known = dict[str, dict[str, str]]


def look_deep(
    host: Host,
    judged: Judged,
    options: Options,
    reporter: Reporter,
    *,
    record: str | None,
    compare: str | None,
) -> tuple[Judged, DeepFacts]:
    """Return ``judged`` with what the hashes say, and the hashes.

    ``record`` and ``compare`` name a manifest, empty = the default one, None = none.
    A run that was cut off is gone on with: what it finished is not read again while size,
    time and inode are the same. One that came to its end leaves nothing to go on with, so
    that the next reads the disk again. Raises ConfigError for a manifest that cannot be
    used, before anything is read, and Interrupted with every finished file kept.
    """
    compared = (compare or manifest_path(host)) if compare is not None else ""
    recorded = read_manifest(host, compared) if compared else None
    files = probe_weight_files(host, judged.facts)
    run = _Run(host=host, reporter=reporter, known=read_hashes(host))
    deep = replace(run.hash_all(files), recorded=recorded, manifest=compared)
    findings = [
        finding
        for finding in judge_deep(deep, judged.facts, judged.wanted.installation)
        if judged.scope.asked is None or finding.code in judged.scope.made
    ]
    if record is not None:
        write_manifest(host, record or manifest_path(host), _folders(deep))
    judged = replace(judged, findings=(*judged.findings, *accepted(findings, options.accept)))
    return judged, deep


def _folders(deep: DeepFacts) -> dict[str, dict[str, str]]:
    folders: dict[str, dict[str, str]] = {}
    for hashed in deep.files:
        folders.setdefault(hashed.file.folder, {})[hashed.file.name] = hashed.sha256
    return folders


@dataclass(slots=True, kw_only=True)
class _Run:
    """One pass over the files; what is known grows with every file and is kept on disk."""

    host: Host
    reporter: Reporter
    known: _Known
    done: int = 0  # bytes
    total: int = 0
    stop: Event = field(default_factory=Event)
    lock: Lock = field(default_factory=Lock)
    begun: float = 0.0

    def hash_all(self, files: Sequence[WeightFile]) -> DeepFacts:
        """Hash what is not known yet, each content once however many instances have it."""
        unread: dict[str, WeightFile] = {}
        for file in files:
            if not _needed(file) <= self.known.get(file.identity.key(), {}).keys():
                unread.setdefault(file.identity.key(), file)
        self.total = sum(file.identity.size for file in unread.values())
        self.begun = self.host.monotonic()
        moving = self._read(list(unread.values()))
        deep = self._facts(files, unread, moving)
        rest = {k: v for k, v in self.known.items() if k not in {f.identity.key() for f in files}}
        write_hashes(self.host, rest)
        return deep

    def _facts(
        self,
        files: Sequence[WeightFile],
        unread: Mapping[str, WeightFile],
        moving: list[WeightFile],
    ) -> DeepFacts:
        return DeepFacts(
            files=tuple(
                self._hashed(file, read=file.identity.key() in unread)
                for file in files
                if file.identity.key() in self.known and file.path not in {m.path for m in moving}
            ),
            read=self.done,
            seconds=self.host.monotonic() - self.begun,
            moving=tuple(moving),
        )

    def _hashed(self, file: WeightFile, *, read: bool) -> HashedFile:
        known = self.known[file.identity.key()]
        agrees = known.get(file.algorithm) == file.hub if file.hub else None
        return HashedFile(file=file, sha256=known["sha256"], hub_agrees=agrees, read=read)

    def _read(self, files: list[WeightFile]) -> list[WeightFile]:
        """Read files side by side; returns those that would not hold still."""
        moving: list[WeightFile] = []
        with ThreadPoolExecutor(max_workers=_FILES_AT_ONCE) as pool:
            # Long files first: the last one to end must not be the longest.
            ordered = sorted(files, key=lambda f: -f.identity.size)
            waiting = {pool.submit(self._read_one, file): file for file in ordered}
            try:
                while waiting:
                    ended, _ = wait(waiting, _TOLD_EVERY_S, FIRST_COMPLETED)
                    moving += [waiting[f] for f in ended if not self._keep(f, waiting[f])]
                    for future in ended:
                        del waiting[future]
                    self._tell(len(files) - len(waiting), len(files))
            except BaseException as error:
                self.stop.set()
                pool.shutdown(wait=True, cancel_futures=True)
                if not isinstance(error, KeyboardInterrupt):
                    raise
                for future, file in waiting.items():
                    if future.done() and not future.cancelled() and not future.exception():
                        self._keep(future, file)
                kept = sum(file.identity.key() in self.known for file in files)
                raise Interrupted(
                    f"interrupted: {kept} of {len(files)} files are hashed and kept",
                    hint="run the same command again; it goes on where it stopped",
                ) from None
        return moving

    def _read_one(self, file: WeightFile) -> dict[Algorithm, str] | None:
        algorithms: tuple[Algorithm, ...] = ("sha256",)
        if file.algorithm == "git":
            algorithms = ("sha256", "git")
        hashed = self.host.hash_file(file.path, algorithms, self._told)
        if hashed is None or hashed[0] != file.identity:
            return None
        return hashed[1]

    def _told(self, size: int) -> bool:
        with self.lock:
            self.done += size
        return not self.stop.is_set()

    def _keep(self, future: "Future[dict[Algorithm, str] | None]", file: WeightFile) -> bool:
        hashes = future.result()
        if hashes is None:
            return False
        self.known[file.identity.key()] = {str(name): text for name, text in hashes.items()}
        try:
            write_hashes(self.host, self.known)
        except HostError as error:
            self.reporter.note(f"the hashes of this run are not kept: {error.message}")
        return True

    def _tell(self, files: int, of: int) -> None:
        self.reporter.progress(
            Progress(
                done=self.done,
                total=self.total,
                files=files,
                of=of,
                seconds=self.host.monotonic() - self.begun,
            )
        )


def _needed(file: WeightFile) -> set[str]:
    return {"sha256", file.algorithm}
