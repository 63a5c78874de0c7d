"""ipykernels of other versions than the environment's own, as kernelspecs below ``build/ipykernels``.

``kernel_spec("6.31.0")`` gives the name of a spec, made on first use: ``ipykernel-6.31.0``. Jupyter finds it where
`JUPYTER_PATH` is on the path of that name. Each is the environment's Python and packages with another ipykernel in
front; it is pure Python and asks little of the others.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

__all__ = ["JUPYTER_PATH", "PLACES", "VERSIONS", "kernel_spec"]

_HERE = Path(__file__).parents[1] / "build" / "ipykernels"
JUPYTER_PATH = _HERE / f"python{sys.version_info[0]}.{sys.version_info[1]}"  # a kernelspec names its Python
VERSIONS = ("6.31.0", "7.3.0", "7.4.0")[: 3 if sys.version_info >= (3, 11) else 2]  # 7.4 needs Python 3.11
"""One of each kind: what they do with a widget's messages while a cell runs differs (``nbaudio.widgets.waiting``)."""
PLACES = [(VERSIONS[0], "main"), *((version, place) for version in VERSIONS[1:] for place in ("main", "subshell"))]
"""Where a page may send what widgets say: to the main shell (VS Code, Notebook with a setting), or a subshell
(JupyterLab), which ipykernel 6 has not."""


def kernel_spec(version: str) -> str:
    """The name of a kernelspec of that ipykernel, which is installed where it is not yet."""
    packages = _HERE / "packages" / version
    if not packages.is_dir():
        _install(version, packages)
    name = f"ipykernel-{version}"
    spec = {
        "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "env": {"PYTHONPATH": os.pathsep.join(filter(None, [str(packages), os.environ.get("PYTHONPATH", "")]))},
        "display_name": f"Python (ipykernel {version})",
        "language": "python",
        "interrupt_mode": "signal",
    }
    folder = JUPYTER_PATH / "kernels" / name
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / f"kernel.json.{os.getpid()}"
    unfinished.write_text(json.dumps(spec, indent=1))
    unfinished.replace(folder / "kernel.json")  # at once: another process of the tests may be reading it
    return name


def _install(version: str, packages: Path) -> None:
    packages.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(dir=packages.parent))
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps"]
    subprocess.run([*pip, "--target", str(unfinished), f"ipykernel=={version}"], check=True)
    try:
        unfinished.rename(packages)
    except OSError:  # another process was faster
        shutil.rmtree(unfinished)
