"""Where results are kept: a folder, or a place of an object store through fsspec."""

from __future__ import annotations

import tempfile
from pathlib import Path

from gad_lightning.atomic import FolderLock, make_folder
from gad_lightning.errors import SettingError
from gad_lightning.optional import need
from gad_lightning.redact import redact


class Place:
    """A folder that keeps files by name; each is whole or not there.

    Args:
        folder: made at the first file.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __str__(self) -> str:
        return str(self.folder)

    def path(self, name: str) -> Path:
        """Where a file is written, whole or not at all, before :meth:`publish`; its folder is there."""
        target = self.folder / name
        make_folder(target.parent)
        return target

    def publish(self, name: str) -> None:
        """Let others see a file that was written: in a folder they do."""

    def names(self, folder: str) -> set[str]:
        """Names of the files of a folder."""
        found = self.folder / folder
        return {path.name for path in found.iterdir()} if found.is_dir() else set()

    def fetch(self, name: str) -> Path | None:
        """A file to read; None if there is none."""
        found = self.folder / name
        return found if found.is_file() else None

    def lock(self, name: str) -> FolderLock | None:
        """The lock of a piece of work; None where there are no locks."""
        path = self.path(name)
        return FolderLock(path.parent, path.name)


class RemotePlace(Place):
    """A place of an object store, such as ``s3://bucket/results``: files are made here and sent whole.

    It has no locks: two jobs that share it may do a unit twice, and write the same bytes.

    Args:
        url: of any file system that fsspec knows.

    Raises:
        SettingError: if fsspec or the package of the store is not installed, or the store is unknown.
    """

    def __init__(self, url: str) -> None:
        fsspec = need("fsspec", extra="remote", why="for object stores")
        try:
            self.store, self.root = fsspec.url_to_fs(url)
        except (ImportError, ValueError) as error:
            raise SettingError(
                f"{redact(url)} cannot be opened: {error}.", "install the package of this store, or give a folder"
            ) from error
        self.url = url
        self.kept = tempfile.TemporaryDirectory(prefix="gad_lightning_")
        super().__init__(Path(self.kept.name))

    def __str__(self) -> str:
        return redact(self.url)

    def publish(self, name: str) -> None:
        """Send a file, and let go of it here.

        Raises:
            SettingError: if the store does not take it.
        """
        target = f"{self.root}/{name}"
        try:
            self.store.makedirs(target.rpartition("/")[0], exist_ok=True)
            self.store.put_file(str(self.folder / name), target)
        except OSError as error:
            raise SettingError(
                f"{self}/{name} cannot be written: {error}.", "check the address and the rights of this account"
            ) from error
        (self.folder / name).unlink()

    def names(self, folder: str) -> set[str]:
        """Names of the files of a folder of the store."""
        self.store.invalidate_cache()
        target = f"{self.root}/{folder}".rstrip("/")
        found = self.store.ls(target, detail=False) if self.store.isdir(target) else []
        return {str(path).rstrip("/").rpartition("/")[2] for path in found}

    def fetch(self, name: str) -> Path | None:
        """Copy a file here to read it."""
        if not self.store.isfile(f"{self.root}/{name}"):
            return None
        target = self.path(name)
        self.store.get_file(f"{self.root}/{name}", str(target))
        return target

    def lock(self, name: str) -> FolderLock | None:
        """There are no locks."""
        return None


def place_of(address: str | Path) -> Place:
    """A folder, or a place of an object store where the address has a ``://``."""
    return RemotePlace(str(address)) if "://" in str(address) else Place(Path(address).resolve())
