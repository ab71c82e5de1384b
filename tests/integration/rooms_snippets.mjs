// Lines of clients as they were written for the agent platform whose dialect the server speaks, and what
// turns them into programs: TypeScript and imports are for the esbuild that comes with the page's Vite.
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { projectRoot } from './harness.mjs';

export const connecting = `
import io from "socket.io-client";

const socket = io("http://localhost:8000/ws", {
  auth: { token: "your-jwt-token" }
});

// Listen for connection
socket.on("connection_established", (event) => {
  console.log("Connected:", event.data.connection_id);
});

// Listen for disconnection
socket.on("disconnect", () => {
  console.log("Disconnected");
});
`;

export const subscribing = `
// Subscribe to room
socket.emit("subscribe", {
  room: "project:550e8400-e29b-41d4-a716-446655440000"
}, (response) => {
  console.log(response); // {status: "success", ...}
});

// Listen for project updates
socket.on("project.updated", (event) => {
  console.log("Project updated:", event.data);
});
`;

export const unsubscribing = `
// Unsubscribe
socket.emit("unsubscribe", {
  room: "project:550e8400-e29b-41d4-a716-446655440000"
});
`;

export const reactHook = `
import { useEffect, useState } from "react";
import io from "socket.io-client";

export const useProjectUpdates = (projectId: string) => {
  const [project, setProject] = useState(null);

  useEffect(() => {
    const socket = io("http://localhost:8000/ws", {
      auth: { token: localStorage.getItem("jwt_token") }
    });

    socket.on("connect", () => {
      socket.emit("subscribe", {
        room: \`project:\${projectId}\`
      });
    });

    socket.on("project.updated", (event) => {
      setProject(event.data);
    });

    return () => socket.disconnect();
  }, [projectId]);

  return project;
};
`;

export const severalEvents = `
const events = [
  "project.updated",
  "agent.status_changed",
  "workflow.progress"
];

events.forEach(event => {
  socket.on(event, (data) => {
    console.log(\`\${event}:\`, data);
  });
});
`;

export const autoReconnect = `
socket.on("disconnect", async () => {
  // Refresh token
  const newToken = await refreshToken();
  localStorage.setItem("jwt_token", newToken);

  // Reconnect with new token
  socket.auth.token = newToken;
  socket.connect();
});
`;

export const unsubscribeOnCleanup = `
useEffect(() => {
  return () => {
    socket.emit("unsubscribe", { room });
  };
}, []);
`;

export const connectionErrors = `
socket.on("connect_error", (error) => {
  if (error.data.content.code === "AUTH_FAILED") {
    // Redirect to login
    window.location.href = "/login";
  }
});
`;

export const debugRooms = `
socket.emit("debug:rooms", {}, console.log)
`;

const tests = path.join(projectRoot, 'tests');
const { build } = createRequire(path.join(projectRoot, 'web/package.json'))('esbuild');

const input = (contents) => ({ contents, resolveDir: tests, sourcefile: 'snippet.tsx', loader: 'tsx' });

/** The program for a browser, as one script. */
export async function bundle(contents) {
    const { outputFiles } = await build({
        stdin: input(contents), bundle: true, write: false, format: 'iife', target: 'es2022',
        define: { 'process.env.NODE_ENV': '"development"' },
    });
    return outputFiles[0].text;
}

/** What the program exports, in Node. */
export async function load(contents) {
    const directory = mkdtempSync(path.join(tests, 'node_modules', '.snippet-'));
    try {
        const outfile = path.join(directory, 'snippet.mjs');
        await build({
            stdin: input(contents), bundle: true, format: 'esm', platform: 'node', target: 'node18',
            packages: 'external', outfile,
        });
        return await import(pathToFileURL(outfile));
    } finally {
        rmSync(directory, { recursive: true });
    }
}
