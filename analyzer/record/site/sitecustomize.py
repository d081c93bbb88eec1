"""Found by Python at start-up through PYTHONPATH: installs the recorder, then runs the environment's own sitecustomize."""

import importlib.machinery
import importlib.util
import os
import sys


def _record() -> None:
    root = os.environ.get("QUERYPROOF_ROOT")
    if not root:
        return
    # The program may run in an environment where queryproof is not installed: it is loaded from where it is.
    if "queryproof" not in sys.modules and importlib.util.find_spec("queryproof") is None:
        spec = importlib.util.spec_from_file_location(
            "queryproof", os.path.join(root, "__init__.py"), submodule_search_locations=[root]
        )
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["queryproof"] = module
        spec.loader.exec_module(module)
    from queryproof.analyzer.record.bootstrap import install

    install()


def _run_the_other() -> None:
    here = os.path.dirname(os.path.abspath(__file__))
    rest = [path for path in sys.path if os.path.abspath(path or ".") != here]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", rest)
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


try:
    _record()
except Exception as error:
    sys.stderr.write("queryproof: nothing is recorded: %s: %s\n" % (type(error).__name__, error))
_run_the_other()
