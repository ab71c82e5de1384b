import { startServer } from '../integration/harness.mjs';
import { pageTest, keepScreenshot, phone } from './browser.mjs';
import { busyServer, publishAll } from './builds.mjs';
pageTest('shots', async ({ t, open }) => {
    const server = await startServer({ t });
    await busyServer(server);
    for (const [colorScheme] of [['light'], ['dark']]) {
        const page = await open(server.url + '/', { colorScheme });
        await page.waitForSelector('.session-row');
        await keepScreenshot(page, `list-${colorScheme}`);
        await page.goto(server.url + '/?session=harbour/main');
        await page.waitForSelector('.item-row');
        await page.waitForTimeout(800);
        await keepScreenshot(page, `session-${colorScheme}`);
        await page.goto(server.url + '/?session=harbour/pull-481');
        await page.waitForSelector('.error-strip');
        await page.click('.error-summary');
        await page.waitForTimeout(400);
        await keepScreenshot(page, `errors-${colorScheme}`);
        for (const view of ['timeline', 'errors', 'runs', 'messages']) {
            await page.goto(server.url + '/?session=harbour/pull-481&view=' + view);
            await page.waitForTimeout(500);
            await keepScreenshot(page, `${view}-${colorScheme}`);
        }
        console.log(page.problems);
        page.problems = [];
    }
    const p = await open(server.url + '/', { size: phone });
    await p.waitForSelector('.session-row');
    await keepScreenshot(p, 'phone-list');
    await p.goto(server.url + '/?session=harbour/pull-481');
    await p.waitForTimeout(500);
    await keepScreenshot(p, 'phone-session');
    await p.goto(server.url + '/?session=harbour/main&view=terminal');
    await p.waitForTimeout(500);
    await keepScreenshot(p, 'phone-terminal');
    await p.goto(server.url + '/?session=nope');
    await p.waitForTimeout(500);
    await keepScreenshot(p, 'phone-waiting');
    console.log(p.problems); p.problems = [];
});
