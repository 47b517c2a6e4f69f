import type { DesertedRoom } from '#admin/purges/room-administration';
import type { Held, Purge } from '#admin/purges/room-purges';
import { CliFailure, EXIT, type ExitCode } from '../failure.js';
import type { Installation } from '../installation.js';
import { callServer } from '../projections/remote-projections.js';
import type { Terminal } from '../terminal/terminal.js';
import { moment, visible } from '../terminal/units.js';

/** `rooms purge`. */
export async function purgeRoom(
  installation: Installation,
  terminal: Terminal,
  name: string,
  usersLeave: boolean,
): Promise<ExitCode> {
  const id = await ask<string>(installation, 'purge', { name, usersLeave });
  await terminal.line(`purge ${id} is ordered: "annals rooms purges" says what becomes of it`);
  return EXIT.ok;
}

/** `rooms purges`. */
export async function listPurges(installation: Installation, terminal: Terminal): Promise<ExitCode> {
  for (const purge of await ask<Purge[]>(installation, 'purges', {})) await terminal.line(purgeLine(purge));
  return EXIT.ok;
}

function purgeLine({ purge_id: id, room_id: room, at, because, begun, ended }: Purge): string {
  const why = because === 'deserted' ? 'nobody was in it' : 'by an operator';
  const left = (begun?.left ?? []).length === 0 ? '' : `; ${begun?.left?.join(', ')} left`;
  const stayed = (begun?.stayed ?? []).length === 0 ? '' : `; ${begun?.stayed?.join(', ')} could not leave`;
  return `${id} ${room} of ${moment(at)}, ${why}: ${endOf(begun !== undefined, ended)}${left}${stayed}`;
}

function endOf(hasBegun: boolean, ended: Purge['ended']): string {
  if (ended === undefined) return hasBegun ? 'under way' : 'waits';
  const { refused, at } = ended;
  return refused === undefined
    ? `nothing is left since ${moment(at)}`
    : `refused at ${moment(at)}: ${visible(refused)}`;
}

/** `rooms deserted`. */
export async function listDeserted(installation: Installation, terminal: Terminal): Promise<ExitCode> {
  for (const { room, name, since, isHeld } of await ask<DesertedRoom[]>(installation, 'deserted', {})) {
    const called = name === undefined ? '' : ` (${visible(name)})`;
    await terminal.line(`${room}${called}: nobody of this server since ${moment(since)}${isHeld ? ', held' : ''}`);
  }
  return EXIT.ok;
}

/** `rooms hold`. */
export async function holdRoom(
  installation: Installation,
  terminal: Terminal,
  name: string,
  reason: string | undefined,
): Promise<ExitCode> {
  await terminal.line(`${await ask<string>(installation, 'hold', { name, reason })} is held: nobody purges it`);
  return EXIT.ok;
}

/** `rooms release`. */
export async function releaseRoom(installation: Installation, terminal: Terminal, name: string): Promise<ExitCode> {
  await terminal.line(`${await ask<string>(installation, 'release', { name })} is held no more`);
  return EXIT.ok;
}

/** `rooms held`. */
export async function listHeld(installation: Installation, terminal: Terminal): Promise<ExitCode> {
  for (const { room_id: room, at, reason } of await ask<Held[]>(installation, 'held', {})) {
    await terminal.line(`${room} since ${moment(at)}${reason === undefined ? '' : `: ${visible(reason)}`}`);
  }
  return EXIT.ok;
}

async function ask<T>(installation: Installation, method: string, parameters: object): Promise<T> {
  const client = await installation.connect();
  if (client === undefined) throw new CliFailure('the server is not running: rooms are looked after while it does');
  try {
    return await callServer<T>(client, `rooms.${method}`, parameters);
  } finally {
    client.close();
  }
}
