import { defineConfig } from 'vite';

/* The client library: one ES module, for browsers and Node.js, served at /fanfare.js. */
export default defineConfig({
    publicDir: false,
    build: {
        outDir: process.env.FANFARE_WEB_OUT ?? 'dist',
        emptyOutDir: false,
        target: 'es2022',
        lib: { entry: 'client/src/fanfare.ts', formats: ['es'], fileName: () => 'fanfare.js' },
        minify: 'esbuild',
        rollupOptions: { output: { compact: true } },
    },
});
