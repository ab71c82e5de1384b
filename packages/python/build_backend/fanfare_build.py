"""Builds this package: the few hooks of PEP 517 and PEP 660 that pip calls.

The package is pure Python and has no dependencies, so a wheel is a zip file of its sources with
three files of metadata. With a backend of its own `pip install ./packages/python` asks no index
for setuptools and works without a network.
"""
import base64
import hashlib
import io
import os
import re
import tarfile
import zipfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SOURCES = os.path.join(ROOT, "src")
# Zip files know no time before 1980; a fixed one makes equal sources equal wheels.
TIME = (2020, 1, 1, 0, 0, 0)


def project():
    """The strings of pyproject.toml's [project]; tomllib is only in Python 3.11."""
    with open(os.path.join(ROOT, "pyproject.toml"), encoding="utf-8") as file:
        table = re.split(r"^\[project\]$", file.read(), flags=re.M)[1]
    table = re.split(r"^\[", table, flags=re.M)[0]
    return dict(re.findall(r'^([a-z-]+) = "(.*)"$', table, flags=re.M))


def stem():
    return "{name}-{version}".format(**project())


def metadata():
    values = project()
    with open(os.path.join(ROOT, values["readme"]), encoding="utf-8") as file:
        readme = file.read()
    return (
        "Metadata-Version: 2.1\n"
        f"Name: {values['name']}\n"
        f"Version: {values['version']}\n"
        f"Summary: {values['description']}\n"
        f"License: {values['license']}\n"
        f"Requires-Python: {values['requires-python']}\n"
        "Description-Content-Type: text/markdown\n"
        f"\n{readme}"
    )


WHEEL = "Wheel-Version: 1.0\nGenerator: fanfare_build\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def package_files():
    """(name in the wheel, path) of every source, sorted."""
    for directory, directories, names in os.walk(SOURCES):
        directories[:] = sorted(d for d in directories if d != "__pycache__")
        for name in sorted(names):
            if name.endswith(".py") or name == "py.typed":
                path = os.path.join(directory, name)
                yield os.path.relpath(path, SOURCES).replace(os.sep, "/"), path


def read(path):
    with open(path, "rb") as file:
        return file.read()


def write_wheel(directory, contents):
    """Writes contents, a dict of names to bytes, as a wheel with its RECORD."""
    info = f"{stem()}.dist-info"
    contents[f"{info}/METADATA"] = metadata().encode()
    contents[f"{info}/WHEEL"] = WHEEL.encode()
    contents[f"{info}/LICENSE"] = read(os.path.join(ROOT, "LICENSE"))
    record = ""
    for name, data in contents.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        record += f"{name},sha256={digest},{len(data)}\n"
    contents[f"{info}/RECORD"] = (record + f"{info}/RECORD,,\n").encode()
    wheel = f"{stem()}-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(directory, wheel), "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in contents.items():
            entry = zipfile.ZipInfo(name, TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data)
    return wheel


# ---- The hooks ----

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    return write_wheel(wheel_directory, {name: read(path) for name, path in package_files()})


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    return write_wheel(wheel_directory, {"fanfare.pth": (SOURCES + "\n").encode()})


def build_sdist(sdist_directory, config_settings=None):
    names = ["LICENSE", "README.md", "pyproject.toml", "build_backend/fanfare_build.py"]
    names += ["src/" + name for name, _ in package_files()]
    sdist = f"{stem()}.tar.gz"
    with tarfile.open(os.path.join(sdist_directory, sdist), "w:gz") as archive:
        for name in names:
            archive.add(os.path.join(ROOT, name), f"{stem()}/{name}")
        text = metadata().encode()
        entry = tarfile.TarInfo(f"{stem()}/PKG-INFO")
        entry.size = len(text)
        archive.addfile(entry, io.BytesIO(text))
    return sdist


def get_requires_for_build_wheel(config_settings=None):
    return []


get_requires_for_build_editable = get_requires_for_build_wheel
get_requires_for_build_sdist = get_requires_for_build_wheel
