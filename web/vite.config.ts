import { defineConfig } from 'vite';

/*
 * The page. Names are fixed, without digests: the server embeds the files by name and lets
 * browsers ask by ETag. `npm run dev` forwards to a server that runs on its usual port.
 */
const chunks: Record<string, string> = { SessionPage: 'session', RoomsPage: 'rooms', emulator: 'emulator' };

export default defineConfig({
    base: './',
    esbuild: { jsx: 'automatic', jsxImportSource: 'preact' },
    build: {
        outDir: process.env.FANFARE_WEB_OUT ?? 'dist',
        emptyOutDir: true,
        target: 'es2022',
        modulePreload: { polyfill: false },
        assetsInlineLimit: 0,
        cssCodeSplit: false,
        rollupOptions: {
            output: {
                entryFileNames: 'assets/page.js',
                chunkFileNames: ({ name }) => `assets/${chunks[name] ?? 'common'}.js`,
                assetFileNames: 'assets/page[extname]',
                // What parses terminal output is large: the page is there before it.
                manualChunks: (id) => (id.includes('@xterm') ? 'emulator' : undefined),
            },
        },
    },
    server: {
        proxy: {
            '^/(api|demo|events|health|metrics|docs|examples)': {
                target: process.env.FANFARE_URL ?? 'http://127.0.0.1:8000',
                ws: true,
            },
        },
    },
});
