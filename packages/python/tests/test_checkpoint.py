"""Checkpoint files, read by the program."""
import json
import os
import pathlib
import unittest.mock

from support import Case

import fanfare


class TestCheckpoint(Case):
    def write(self, text, name="checkpoint_1.json"):
        path = pathlib.Path(self.directory, name)
        path.write_text(text if isinstance(text, str) else json.dumps(text))
        return path

    def setUp(self):
        super().setUp()
        self.path = self.write({
            "id": "c1", "phase": "build_1", "tasks_completed": ["t"], "files_created": [],
            "components": [{"id": "auth", "status": "in_progress", "progress": 45.5, "weight": 3},
                           {"id": "database", "status": "completed"}],
            "features": {"login": {"status": "pending"}}})

    def test_parse(self):
        data = fanfare.parse_checkpoint(self.path)
        self.assertEqual(data["overall_progress"]["completion_percentage"], 59.1)
        self.assertEqual(data["component_stats"]["total"], 2)
        self.assertEqual(data["tasks_completed"], ["t"])

    def test_summary(self):
        summary = fanfare.get_checkpoint_summary(str(self.path))
        self.assertEqual((summary["phase"], summary["status"]), ("build_1", "in_progress"))

    def test_updates(self):
        self.assertEqual(fanfare.get_component_updates(self.path), [
            {"component_id": "auth", "status": "in_progress", "progress": 45.5, "metadata": {}},
            {"component_id": "database", "status": "completed", "progress": 100, "metadata": {}}])
        self.assertEqual(fanfare.extract_feature_updates(self.path), [
            {"feature_id": "login", "status": "pending", "progress": 0, "metadata": {}}])

    def test_percentage_is_the_programs(self):
        for components in (
            [], [{"status": "completed"}], [{"progress": 33.35}], [{"progress": 0.05}],
            [{"progress": 45.5, "weight": 3}, {"status": "completed"}],
            [{"progress": 10, "weight": 0}, {"progress": 30, "weight": 0}],
            [{"status": "failed", "progress": None}, {"status": "in_progress"}],
        ):
            with self.subTest(components=components):
                parts = [{"id": str(n), **part} for n, part in enumerate(components)]
                path = self.write({"id": "c", "components": parts}, "c.json")
                expected = fanfare.parse_checkpoint(path)["component_stats"]
                self.assertEqual(fanfare.calculate_completion_percentage(parts),
                                 expected["completion_percentage"])
        self.assertEqual(fanfare.calculate_completion_percentage({"a": {"progress": 50}}), 50)
        with self.assertRaisesRegex(ValueError, "progress must be a number from 0 to 100, got 101"):
            fanfare.calculate_completion_percentage([{"progress": 101}])

    def test_bad_files_name_file_line_and_column(self):
        for text, line, column in [("{\n  oops}", 2, 3), ("", 1, 1), ("[1]", 1, 1)]:
            with self.subTest(text=text):
                path = self.write(text, "bad.json")
                with self.assertRaises(fanfare.CheckpointError) as caught:
                    fanfare.parse_checkpoint(path)
                problem = caught.exception
                self.assertTrue(str(problem).startswith(f"{path}:"), problem)
                self.assertEqual((problem.line, problem.column), (line, column))
        with self.assertRaisesRegex(fanfare.CheckpointError, "missing.json"):
            fanfare.get_checkpoint_summary(os.path.join(self.directory, "missing.json"))
        with self.assertRaises(fanfare.CheckpointError):
            fanfare.parse_checkpoint(self.directory)

    def test_a_name_that_looks_like_an_option(self):
        self.write({"id": "c"}, "--summary")
        before = os.getcwd()
        self.addCleanup(os.chdir, before)
        os.chdir(self.directory)
        self.assertEqual(fanfare.parse_checkpoint("--summary")["id"], "c")

    def test_a_missing_program_is_told(self):
        with unittest.mock.patch.dict(os.environ, FANFARE_PROGRAM="/nowhere/fanfare"):
            with self.assertRaisesRegex(fanfare.ProgramNotFound, "/nowhere/fanfare"):
                fanfare.parse_checkpoint(self.path)
        with unittest.mock.patch.dict(os.environ, PATH=self.directory):
            os.environ.pop("FANFARE_PROGRAM")
            with self.assertRaisesRegex(fanfare.ProgramNotFound, "set FANFARE_PROGRAM"):
                fanfare.parse_checkpoint(self.path)
