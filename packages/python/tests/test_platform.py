"""The events of an agent platform: each goes where it belongs, with its fields, and is checked."""
import asyncio
import inspect
import json
import urllib.request
import uuid

from support import Case

import fanfare
from fanfare import events

PROJECT = uuid.UUID("550e8400-e29b-41d4-a716-446655440000")
AGENT = "660e8400-e29b-41d4-a716-446655440001"
ADA = "ada"


class TestPlatform(Case):
    def publisher(self, server):
        publisher = fanfare.Publisher(server.url, confirm=True, confirm_timeout=10)
        self.addCleanup(publisher.close)
        return publisher

    def test_events_find_their_topics(self):
        server = self.server()
        p = self.publisher(server)
        receipt = p.project_updated(
            project_id=PROJECT, project_name="My Project", status="active", updated_by=ADA,
            repository_url="https://github.com/a/b", changes={"status": "active"})
        self.assertEqual([receipt.topic, receipt.others[0].topic],
                         [f"project:{PROJECT}", "user:ada"])
        self.assertEqual(p.project_deleted(str(PROJECT).upper()).topic, f"project:{PROJECT}")
        self.assertEqual([r.topic for r in p.agent_connected(AGENT).others], ["global"])
        self.assertEqual(p.workflow_progress(AGENT, progress=50).topic, "global")
        self.assertEqual(p.workflow_failed(AGENT, project_id=PROJECT).topic, f"project:{PROJECT}")
        self.assertEqual(p.pr_created(42, PROJECT, "Fix").topic, f"project:{PROJECT}")
        self.assertEqual(p.issue_created(7, assigned_to="bob").topic, "user:bob")
        self.assertEqual(p.ai_suggestion(AGENT, confidence=0.9).topic, "global")
        self.assertEqual(p.ai_analysis_complete("a").topic, "global")
        told = server.history(f"project:{PROJECT}")
        self.assertEqual([event["type"] for event in told],
                         ["project.updated", "project.deleted", "workflow.failed", "pr.created"])
        self.assertEqual(told[0]["data"], {
            "project_id": str(PROJECT), "project_name": "My Project", "status": "active",
            "repository_url": "https://github.com/a/b", "updated_by": "ada",
            "changes": {"status": "active"}})

    def test_mistakes_name_the_field(self):
        for call, field, said in (
                (lambda: events.project_updated("seven"), "project_id", "a UUID"),
                (lambda: events.agent_connected(AGENT, availability=101), "availability", "100"),
                (lambda: events.workflow_started(AGENT, "done"), "status", '"pending"'),
                (lambda: events.workflow_started(AGENT, total_steps=1.5), "total_steps", "whole"),
                (lambda: events.workflow_started(AGENT, logs="x"), "logs", "a list"),
                (lambda: events.pr_created(None), "pr_id", "a string"),
                (lambda: events.pr_created(""), "pr_id", "not empty"),
                (lambda: events.ai_suggestion(AGENT, confidence=2), "confidence", "0 to 1"),
                (lambda: events.ai_suggestion(AGENT, severity="bad"), "severity", '"info"')):
            with self.assertRaises(fanfare.EventRefused) as refused:
                call()
            self.assertEqual(refused.exception.field, field)
            self.assertIn(said, str(refused.exception))

    def test_broadcaster_as_backends_have_it(self):
        server = self.server()

        async def backend():
            fanfare.configure(server.url, confirm_timeout=10)
            broadcaster = fanfare.get_broadcaster()
            receipts = [
                await broadcaster.broadcast_project_updated(
                    project_id=PROJECT, project_name="My Project",
                    repository_url="https://github.com/...", status="active", updated_by=PROJECT,
                    changes={"status": "updated"}),
                await broadcaster.broadcast_workflow_progress(
                    workflow_id=PROJECT, status="running", progress=50, current_step="Step 2",
                    total_steps=5),
                await broadcaster.broadcast_agent_status_changed(
                    agent_id=PROJECT, agent_name="GPT-4", status="online", availability=85),
                await broadcaster.broadcast_ai_suggestion(
                    suggestion_id=PROJECT, target_type="pr", target_id=PROJECT,
                    category="optimization", title="Simplify function", description="...",
                    severity="info", confidence=0.92, project_id=PROJECT),
                await fanfare.broadcast_issue_closed(7)]
            await fanfare.close()
            return receipts

        topics = [receipt.topic for receipt in asyncio.run(backend())]
        self.assertEqual(topics, [f"project:{PROJECT}", "global", f"agent:{PROJECT}",
                                  f"project:{PROJECT}", "global"])

    def test_every_event_of_the_catalogue_has_its_functions_and_fields(self):
        server = self.server()
        with urllib.request.urlopen(f"{server.http_url}/openapi.json") as answer:
            schemas = json.load(answer)["components"]["schemas"]
        names = [name[len("event_"):] for name in schemas
                 if name.startswith("event_") and "." in name and "command" not in name]
        self.assertEqual(len(names), 17)
        for name in names:
            function = name.replace(".", "_")
            fields = set(schemas[f"event_{name}"]["properties"])
            self.assertEqual(set(inspect.signature(getattr(events, function)).parameters), fields,
                             name)
            self.assertTrue(hasattr(fanfare.Publisher, function), name)
            self.assertTrue(hasattr(fanfare.AsyncPublisher, function), name)
            self.assertTrue(hasattr(fanfare, f"broadcast_{function}"), name)
            self.assertTrue(hasattr(fanfare.Broadcaster, f"broadcast_{function}"), name)
