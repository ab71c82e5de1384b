import { defineConfig, transformWithEsbuild, type Plugin } from 'vite';

/* Vite leaves the white space of ES libraries alone, for the sake of bundlers that look for comments in
 * them. Nothing here has such comments. At the very end, since Vite prints every chunk again. */
const minify: Plugin = {
    name: 'fanfare:minify',
    async generateBundle(_, bundle) {
        for (const file of Object.values(bundle)) {
            if (file.type !== 'chunk') continue;
            const { code } = await transformWithEsbuild(file.code, file.fileName, { minify: true, format: 'esm', target: 'es2022' });
            file.code = code;
        }
    },
};

/* The client library: one ES module, for browsers and Node.js, served at /fanfare.js. */
export default defineConfig({
    publicDir: false,
    plugins: [minify],
    build: {
        outDir: process.env.FANFARE_WEB_OUT ?? 'dist',
        emptyOutDir: false,
        target: 'es2022',
        lib: { entry: 'client/src/fanfare.ts', formats: ['es'], fileName: () => 'fanfare.js' },
        minify: false,
    },
});
