"""What the wheel has beside its program."""

import ast
import unittest
from importlib import metadata
from pathlib import Path

import stpn

ROOT = Path(__file__).resolve().parents[3]


class Package(unittest.TestCase):
    def test_the_licences_were_not_in_the_wheel(self):
        about = metadata.metadata("stpn")
        self.assertEqual(about["License-Expression"], "MIT OR Apache-2.0")
        self.assertEqual(sorted(about.get_all("License-File")), ["LICENSE-APACHE", "LICENSE-MIT"])
        for name in about.get_all("License-File"):
            (path,) = (path for path in metadata.files("stpn") if path.match(f"*.dist-info/licenses/{name}"))
            self.assertEqual(path.read_text(), (ROOT / name).read_text())

    def test_the_oldest_python_reads_the_sources(self):
        sources = list(Path(stpn.__file__).parent.glob("*.py*"))
        sources = [path for path in sources if path.suffix in (".py", ".pyi")]
        self.assertGreater(len(sources), 10)
        for path in [*sources, *(ROOT / "examples").glob("*.py")]:
            with self.subTest(path.name):
                tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 9))
                late = any(isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in tree.body)
                # Without that line annotations are evaluated, and `X | Y` of types is none in Python 3.9.
                self.assertTrue(late or not unions(tree), path.name)


def unions(tree):
    """The unions `X | Y` in annotations."""
    places = (getattr(node, part, None) for node in ast.walk(tree) for part in ("annotation", "returns"))
    nodes = (node for place in places if place is not None for node in ast.walk(place))
    return [node for node in nodes if isinstance(node, ast.BinOp)]


if __name__ == "__main__":
    unittest.main()
