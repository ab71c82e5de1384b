// A real browser for the tests of the page: Chromium, driven by playwright-core.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after } from 'node:test';
import { chromium } from 'playwright-core';
import { ms, projectRoot } from '../integration/harness.mjs';

const executable = ['chromium', 'chromium-browser', 'google-chrome'].map((name) => {
    try {
        return execFileSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).trim();
    } catch {
        return '';
    }
}).find(Boolean);

/** For node:test: the tests are skipped where there is no browser, and may take long. */
export const options = { skip: executable ? false : 'no Chromium is installed', timeout: 90000 };

const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage'];

let launched;

async function browser() {
    launched ??= chromium.launch({ executablePath: executable, args: flags });
    return launched;
}
after(async () => (await launched)?.close());

export const desktop = { width: 1440, height: 900 };
export const phone = { width: 360, height: 740 };

/** What a page may not write to its console: anything. Failed requests of a server that is away may. */
const expectedWhileAway = /net::ERR_|WebSocket connection to|Failed to load resource/;

/**
 * Opens a page of the server. options: size, colorScheme, and what playwright's newContext takes.
 * page.problems has what the console and the content security policy complained of; at the end of the
 * test there must be none, unless page.mayComplain is set to a pattern for those that are expected.
 */
export async function openPage(t, url, { size = desktop, colorScheme = 'light', ...context } = {}) {
    const opened = await (await browser()).newContext({ viewport: size, colorScheme, reducedMotion: 'reduce', ...context });
    const page = await opened.newPage();
    page.setDefaultTimeout(ms(10000));
    page.problems = [];
    page.mayComplain = undefined;
    page.on('console', (message) => ['error', 'warning'].includes(message.type()) && page.problems.push(message.text()));
    page.on('pageerror', (error) => page.problems.push(`an exception: ${error.stack}`));
    await page.addInitScript(() => {
        addEventListener('securitypolicyviolation', (event) => console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`));
    });
    t.after(async () => {
        await opened.close();
        assert.deepEqual(page.problems.filter((problem) => !page.mayComplain?.test(problem)), [], 'the page has nothing to complain of');
    });
    await page.goto(url);
    return page;
}

export const whileAway = expectedWhileAway;

const screenshots = path.join(projectRoot, 'build/screenshots');

/** Keeps a picture of the page, to be looked at. */
export async function keepScreenshot(page, name) {
    fs.mkdirSync(screenshots, { recursive: true });
    await page.screenshot({ path: path.join(screenshots, `${name}.png`) });
}
