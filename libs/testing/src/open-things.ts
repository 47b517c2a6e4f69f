import { readdirSync, readlinkSync } from 'node:fs';

/** What this process has open that a test is to close, as often as it has it. On Linux the files of LMDB, too, of which the system tells there. */
export function listOpenThings(): Map<string, number> {
  const things = new Map<string, number>();
  const add = (thing: string): void => void things.set(thing, (things.get(thing) ?? 0) + 1);
  for (const resource of process.getActiveResourcesInfo()) {
    if (resource === 'TCPServerWrap') add('a server that listens');
    // Of what goes round the event loop there is one whenever it is looked at.
    if (resource === 'Immediate') add('something that goes on');
  }
  for (const file of openFiles()) if (/\/data\.mdb( \(deleted\))?$/.test(file)) add(file);
  return things;
}

/** What there is more of than before. */
export function listMore(before: ReadonlyMap<string, number>, now: ReadonlyMap<string, number>): string[] {
  return [...now].filter(([thing, count]) => count > (before.get(thing) ?? 0)).map(([thing]) => thing);
}

function openFiles(): string[] {
  const folder = '/proc/self/fd';
  return namesIn(folder).flatMap((name) => {
    try {
      return readlinkSync(`${folder}/${name}`);
    } catch {
      // Closed meanwhile, as what the folder was read by.
      return [];
    }
  });
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
