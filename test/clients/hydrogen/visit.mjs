import { once } from 'node:events';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { Person } from './person.mjs';
import { serveHydrogen } from './serve.mjs';

const [, , folder, base] = process.argv;
const pictures = process.env.ANNALS_SCREENSHOTS;

/** Writes what was seen to be right; see test/support/client-program.ts. */
export const saw = (what) => console.log(what);

export async function restart() {
  console.log('restart');
  await once(process.stdin, 'data');
}

/** With ANNALS_SCREENSHOTS, the name of a folder. */
export async function picture(person, name) {
  if (pictures !== undefined) await person.page.screenshot({ path: join(pictures, `${name}.png`) });
}

/**
 * Lets people of these names, at browsers of their own with Hydrogen open, do something: a program that was given a folder that has
 * hydrogen-view-sdk in its node_modules, and `chromium`, and the address of the homeserver. Where that fails, it says what they saw.
 */
export async function visit(names, act) {
  const people = [];
  let site, browser;
  try {
    site = await serveHydrogen(folder, base);
    browser = await chromium.launch({ executablePath: join(folder, 'chromium') });
    for (const name of names) people.push(await Person.arrive(browser, site.url, name));
    await act(base, ...people);
    const complaints = people.flatMap((person) => person.complaints);
    if (complaints.length > 0) throw new Error(complaints.join('\n'));
    saw('found nothing wrong with an answer');
  } catch (error) {
    console.error(error);
    for (const person of people) {
      await picture(person, `${person.name}-at-the-end`);
      console.error([`${person.name} saw:`, await person.page.innerText('body'), ...person.complaints].join('\n'));
    }
    process.exitCode = 1;
  } finally {
    await browser?.close();
    await site?.close();
    // What was read from keeps the program alive.
    process.stdin.destroy();
  }
}
