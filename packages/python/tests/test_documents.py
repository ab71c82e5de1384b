"""The README's examples, the example programs, and what pip makes of the package."""
import ast
import os
import pathlib
import re
import shutil
import subprocess
import sys
import venv
import zipfile

from support import BINARY, PACKAGE, PATIENCE, PROJECT, Case

EXAMPLES = PROJECT / "examples/python"


class DocumentCase(Case):
    def run_python(self, *arguments, url="", cwd=None):
        done = subprocess.run(
            [sys.executable, *arguments], capture_output=True, text=True, timeout=3 * PATIENCE,
            cwd=cwd or self.directory, stdin=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(PACKAGE / "src"), "FANFARE_URL": url,
                 "FANFARE_PROGRAM": BINARY})
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout


class TestReadme(DocumentCase):
    def test_examples_run_and_print_what_is_said(self):
        server = self.server()
        blocks = re.findall(r"```python\n(.*?)```\n(?:\n<!-- prints -->\n```\n(.*?)```)?",
                            (PACKAGE / "README.md").read_text(), re.S)
        self.assertGreater(len(blocks), 4)
        for program, printed in blocks:
            with self.subTest(program=program):
                program = program.replace("http://127.0.0.1:8000", server.http_url)
                output = self.run_python("-c", program, url=server.url)
                if printed:
                    self.assertEqual(output, printed)
        types = [event["type"] for event in server.history("session:build_123")]
        self.assertEqual(types, ["component_update", "terminal_output", "build_progress", "error",
                                 "component_update", "deploy.started", "terminal_output",
                                 "terminal_output"])

    def test_options_are_those_of_the_program(self):
        import fanfare
        import inspect
        table = (PACKAGE / "README.md").read_text().split("| Option |")[1].split("\n\n")[0]
        named = {name for row in table.splitlines()[2:]
                 for name in re.findall(r"`(\w+)`", row.split("|")[1])}
        self.assertEqual(named, set(inspect.signature(fanfare.Publisher).parameters))


class TestExamples(DocumentCase):
    def test_a_build_that_reports(self):
        server = self.server()
        self.run_python(EXAMPLES / "build.py", url=server.url)
        state = server.get("/api/build/status/example")
        self.assertEqual(state["build_progress"]["percent"], 100)
        self.assertEqual({c["status"] for c in state["components"].values()}, {"completed"})

    def test_a_command_whose_output_is_published(self):
        server = self.server()
        output = self.run_python(EXAMPLES / "run_command.py", "commands", "echo", "h\u00e9llo",
                                 url=server.url)
        self.assertEqual(output, "h\u00e9llo\n")
        events = server.history("session:commands")
        self.assertEqual("".join(e["data"].get("output", "") for e in events), "h\u00e9llo\n")
        self.assertEqual(events[-1]["type"], "command.finished")


class TestPackage(DocumentCase):
    def test_pip_installs_it_without_a_network(self):
        place = pathlib.Path(self.directory, "venv")
        venv.create(place, with_pip=True)
        copy = pathlib.Path(self.directory, "python")
        shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("tests", "__pycache__"))
        environment = {"PATH": os.environ["PATH"], "HOME": self.directory,
                       "PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        for options in ([], ["--no-build-isolation"], ["--editable"]):
            with self.subTest(options=options):
                for command in ([place / "bin/pip", "install", "--quiet", "--force-reinstall",
                                 *options, copy],
                                [place / "bin/python", "-c",
                                 "import fanfare; print(fanfare.__version__)"]):
                    done = subprocess.run(command, capture_output=True, text=True,
                                          timeout=10 * PATIENCE, env=environment, cwd="/")
                    self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual(done.stdout, self.version() + "\n")

    def version(self):
        return re.search(r'^version = "(.*)"$', (PACKAGE / "pyproject.toml").read_text(), re.M)[1]

    def test_versions_agree(self):
        source = (PACKAGE / "src/fanfare/__init__.py").read_text()
        project = (PROJECT / "CMakeLists.txt").read_text()
        self.assertIn(f'__version__ = "{self.version()}"', source)
        self.assertIn(f"project(fanfare VERSION {self.version()}", project)

    def test_a_wheel_has_the_sources_and_nothing_else(self):
        sys.path.insert(0, str(PACKAGE / "build_backend"))
        import fanfare_build
        names = zipfile.ZipFile(
            os.path.join(self.directory, fanfare_build.build_wheel(self.directory))).namelist()
        sources = {f"fanfare/{path.name}" for path in (PACKAGE / "src/fanfare").iterdir()
                   if path.suffix == ".py" or path.name == "py.typed"}
        info = f"fanfare-{self.version()}.dist-info"
        self.assertEqual(set(names), sources | {
            f"{info}/{name}" for name in ("METADATA", "WHEEL", "LICENSE", "RECORD")})
        fanfare_build.build_sdist(self.directory)

    def test_everything_public_is_documented_and_typed(self):
        for path in (PACKAGE / "src/fanfare").glob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ClassDef):
                    public = [n for n in node.body if isinstance(n, ast.FunctionDef)]
                    self.assertTrue(ast.get_docstring(node) or node.name.startswith("_")
                                    or not public, f"{path.name}: {node.name}")
                if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                    self.assertIsNotNone(node.returns, f"{path.name}: {node.name}")
