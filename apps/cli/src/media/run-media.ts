import type { ListedMedia, ListedPage, ListedQuarantine, ListedUse, ShownMedia } from '#media/media-administration';
import type { QuarantineRow } from '#media/projections/quarantine.projector';
import { CliFailure, EXIT, type ExitCode } from '../failure.js';
import type { Installation } from '../installation.js';
import { callServer } from '../projections/remote-projections.js';
import type { Terminal } from '../terminal/terminal.js';
import { counted, moment, size, visible } from '../terminal/units.js';

/** `media show`: what the server knows of a medium. */
export async function showMedia(
  installation: Installation,
  terminal: Terminal,
  name: string,
  { json }: { readonly json: boolean },
): Promise<ExitCode> {
  const shown = await ask<ShownMedia>(installation, 'show', { name });
  for (const line of json ? [JSON.stringify(shown)] : linesOf(shown)) await terminal.line(line);
  return EXIT.ok;
}

function* linesOf({ media, medium, quarantine, same }: ShownMedia): Generator<string> {
  const { by, at, bytes, sha256, type, name, expires_at: expires } = medium;
  if (sha256 === undefined) {
    yield `${media}: reserved by ${by} at ${moment(at)}, to be uploaded until ${moment(expires ?? at)}`;
    return;
  }
  yield `${media}: ${by === undefined ? 'fetched' : `uploaded by ${by}`} at ${moment(at)}, ${size(bytes ?? 0)}`;
  yield `content ${sha256}${type === undefined ? '' : `, ${visible(type)}`}${name === undefined ? '' : `, ${visible(name)}`}`;
  if (quarantine !== null) {
    yield quarantinedSince(quarantine);
  }
  for (const other of same) yield `${other} has the same content`;
}

/** `media list`: what a user has uploaded, or who has uploaded how much. */
export async function listMedia(
  installation: Installation,
  terminal: Terminal,
  user: string | undefined,
): Promise<ExitCode> {
  if (user === undefined) {
    await listAll<ListedUse>(installation, 'use', {}, ({ user: name, media, bytes }) =>
      terminal.line(`${name}: ${counted(media, 'file')}, ${size(bytes)}`),
    );
    return EXIT.ok;
  }
  await listAll<ListedMedia>(installation, 'list', { name: user }, async ({ media, medium }) => {
    for (const line of linesOf({ media, medium, quarantine: null, same: [] })) await terminal.line(line);
  });
  return EXIT.ok;
}

/** `media quarantined`. */
export async function listQuarantined(installation: Installation, terminal: Terminal): Promise<ExitCode> {
  await listAll<ListedQuarantine>(installation, 'quarantined', {}, ({ sha256, quarantine }) =>
    terminal.line(`content ${sha256} ${quarantinedSince(quarantine)}`),
  );
  return EXIT.ok;
}

/** `media delete`. */
export async function deleteMedia(installation: Installation, terminal: Terminal, name: string): Promise<ExitCode> {
  await terminal.line(`${await ask<string>(installation, 'delete', { name })} is deleted, for ever`);
  return EXIT.ok;
}

/** `media quarantine`. */
export async function quarantineMedia(
  installation: Installation,
  terminal: Terminal,
  name: string,
  reason: string | undefined,
): Promise<ExitCode> {
  const hash = await ask<string>(installation, 'quarantine', { name, reason });
  await terminal.line(`content ${hash} is in quarantine: nobody is given it, under whatever URI`);
  return EXIT.ok;
}

/** `media release`. */
export async function releaseMedia(installation: Installation, terminal: Terminal, name: string): Promise<ExitCode> {
  await terminal.line(`content ${await ask<string>(installation, 'release', { name })} is given out again`);
  return EXIT.ok;
}

/** `media drop-unseen`. */
export async function dropUnseenMedia(installation: Installation, terminal: Terminal, days: number): Promise<ExitCode> {
  const dropped = await ask<number>(installation, 'drop-unseen', { days });
  await terminal.line(
    `${counted(dropped, 'file')} of other servers went; they are fetched again where somebody asks for them`,
  );
  return EXIT.ok;
}

function quarantinedSince({ at, reason }: QuarantineRow): string {
  return `in quarantine since ${moment(at)}${reason === undefined ? '' : `: ${visible(reason)}`}`;
}

async function listAll<T>(
  installation: Installation,
  method: string,
  parameters: object,
  show: (entry: T) => Promise<void>,
): Promise<void> {
  let after: string | undefined;
  do {
    const page: ListedPage<T> = await ask(installation, method, { ...parameters, after });
    for (const entry of page.entries) await show(entry);
    after = page.next;
  } while (after !== undefined);
}

async function ask<T>(installation: Installation, method: string, parameters: object): Promise<T> {
  const client = await installation.connect();
  if (client === undefined) throw new CliFailure('the server is not running: media are looked after while it does');
  try {
    return await callServer<T>(client, `media.${method}`, parameters);
  } finally {
    client.close();
  }
}
