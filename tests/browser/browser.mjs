// A real browser for the tests of the page: Chromium, driven by playwright-core.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { after } from 'node:test';
import { chromium } from 'playwright-core';
import { ms, projectRoot, test } from '../integration/harness.mjs';

const executable = ['chromium', 'chromium-browser', 'google-chrome']
    .map((name) => {
        try {
            return execFileSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).trim();
        } catch {
            return '';
        }
    })
    .find(Boolean);

const flags = [
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--disable-dev-shm-usage',
];

let launched;

const launch = (args = []) => chromium.launch({ executablePath: executable, args: [...flags, ...args] });

async function browser() {
    launched ??= launch();
    return launched;
}
after(async () => (await launched)?.close());

export const desktop = { width: 1440, height: 900 };
export const phone = { width: 360, height: 740 };

/** What the browser itself writes to the console when the server does not answer. */
export const whileAway = /net::ERR_|WebSocket connection to|Failed to load resource/;

/** A page, and what its console and its content security policy complained of. */
async function openPage(url, { size = desktop, colorScheme = 'light', args, ...options } = {}) {
    const own = args && (await launch(args));
    const context = await (
        own ?? (await browser())
    ).newContext({ viewport: size, colorScheme, reducedMotion: 'reduce', ...options });
    const page = await context.newPage();
    page.end = () => (own ?? context).close();
    page.setDefaultTimeout(ms(10000));
    page.problems = [];
    page.on(
        'console',
        (message) => ['error', 'warning'].includes(message.type()) && page.problems.push(message.text()),
    );
    page.on('pageerror', (error) => page.problems.push(`an exception: ${error.stack}`));
    await page.addInitScript(() => {
        addEventListener('securitypolicyviolation', (event) =>
            console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`),
        );
    });
    await page.goto(url);
    return page;
}

/**
 * A test with a browser: fn({ t, open }); open(url, options) gives a page. options: size, colorScheme,
 * mayComplain (a pattern), args (of a browser of its own), and what playwright's newContext takes. At the end no page may have complained
 * of anything else, and all are closed before the servers are.
 */
export function pageTest(name, fn) {
    const options = { skip: executable ? false : 'no Chromium is installed', timeout: 90000 };
    test(name, options, async (t) => {
        const pages = [];
        const open = async (url, { mayComplain, ...rest } = {}) => {
            const page = await openPage(url, rest);
            t.after(() => page.end().catch(() => {})); // also when the test was given up
            pages.push({ page, mayComplain });
            return page;
        };
        try {
            await fn({ t, open });
            for (const { page, mayComplain } of pages) {
                assert.deepEqual(
                    page.problems.filter((problem) => !mayComplain?.test(problem)),
                    [],
                    'the page has nothing to complain of',
                );
            }
        } finally {
            await Promise.all(pages.map(({ page }) => page.end()));
        }
    });
}

const screenshots = path.join(projectRoot, 'build/screenshots');

/** Keeps a picture of the page, to be looked at. */
export async function keepScreenshot(page, name) {
    fs.mkdirSync(screenshots, { recursive: true });
    await page.screenshot({ path: path.join(screenshots, `${name}.png`) });
}

const axe = fs.readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Serious findings of axe in the page as it is. Its script comes from outside the page's policy, as a debugger's would. */
export async function findings(page) {
    const found = await page.evaluate(`${axe}; axe.run(document, { resultTypes: ['violations'] })`);
    return found.violations
        .filter(({ impact }) => impact === 'serious' || impact === 'critical')
        .map(
            ({ id, nodes }) =>
                `${id}: ${nodes
                    .slice(0, 4)
                    .map((node) => `${node.html.slice(0, 160)} — ${node.any[0]?.message ?? ''}`)
                    .join('; ')}`,
        );
}
