"""Packs the driver into a wheel for this platform, which pip installs without a compiler.

Usage: python python/wheel.py path/to/libjsmql.so path/to/folder
"""

import base64
import hashlib
import pathlib
import sys
import sysconfig
import tomllib
import zipfile

HERE = pathlib.Path(__file__).parent
NAME = "adbc_driver_jsmql"


def main():
    library, folder = map(pathlib.Path, sys.argv[1:3])
    package = tomllib.loads((HERE.parent / "Cargo.toml").read_text())["package"]
    version = package["version"]
    tag = f"py3-none-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"
    files = {f"{NAME}/{path.name}": path.read_bytes() for path in sorted((HERE / NAME).glob("*.py"))}
    files[f"{NAME}/{library.name}"] = library.read_bytes()
    about = f"{NAME}-{version}.dist-info"
    files[f"{about}/METADATA"] = (
        f"Metadata-Version: 2.1\nName: {NAME.replace('_', '-')}\nVersion: {version}\nSummary: {package['description']}\n"
        f"License: {package['license']}\nRequires-Python: >=3.10\nRequires-Dist: adbc-driver-manager>=1.8\n"
    ).encode()
    files[f"{about}/WHEEL"] = f"Wheel-Version: 1.0\nGenerator: jsmql\nRoot-Is-Purelib: false\nTag: {tag}\n".encode()
    record = f"{about}/RECORD"
    lines = [f"{name},sha256={digest(data)},{len(data)}" for name, data in files.items()]
    files[record] = "\n".join([*lines, f"{record},,", ""]).encode()
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / f"{NAME}-{version}-{tag}.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    print(wheel)


def digest(data):
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


if __name__ == "__main__":
    main()
