from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data():
    folder = Path(__file__).parents[2].parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs the development tables in ../shared/data")
    return folder


@pytest.fixture
def fake_package(tmp_path, monkeypatch):
    """Install a data file of one's own making before the real package, found as pip's would be.

    It is of another release, unless told: the file of a known one is known.
    """

    def install(origin, content, version="99.0"):
        folder = tmp_path / "site"
        file = folder / origin.file
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        name = origin.package.replace("-", "_")
        information = folder / f"{name}-{version}.dist-info"
        information.mkdir(exist_ok=True)
        (information / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {origin.package}\nVersion: {version}\n"
        )
        monkeypatch.syspath_prepend(folder)
        return file

    return install
