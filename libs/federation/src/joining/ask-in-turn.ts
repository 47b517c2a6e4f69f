import { type Errcode, ERRORS, MatrixError } from '#kernel/matrix-error';
import type { ServerName } from '#kernel/ids';
import { PeerRefused, PeerUnavailable } from '#kernel/peer-errors';

/** So many servers are asked for one thing: whoever asked waits. */
const MOST_ASKED = 8;

/** What a user may do something about, the most telling first; whatever else servers say is said as theirs. */
const TOLD: readonly string[] = [
  'M_FORBIDDEN',
  'M_UNABLE_TO_AUTHORISE_JOIN',
  'M_UNABLE_TO_GRANT_JOIN',
  'M_INCOMPATIBLE_ROOM_VERSION',
  'M_UNSUPPORTED_ROOM_VERSION',
  'M_NOT_FOUND',
] satisfies Errcode[];

/**
 * Asks servers in turn until one does what is asked. Throws what the most telling of them said, as an error for clients: server-server
 * API, "Joining Rooms"; else what the first said that refused in words of its own; and M_UNKNOWN with status 502, which names the last,
 * where none said anything. What is no fault of another server's is thrown at once.
 */
export async function askInTurn<T>(
  servers: readonly ServerName[],
  ask: (server: ServerName) => Promise<T>,
): Promise<T> {
  let told: PeerRefused | undefined;
  let refused: PeerRefused | undefined;
  let last: string | undefined;
  for (const server of servers.slice(0, MOST_ASKED)) {
    try {
      return await ask(server);
    } catch (error) {
      if (!(error instanceof PeerRefused || error instanceof PeerUnavailable)) throw error;
      last = `${server}: ${error.message}`;
      if (!(error instanceof PeerRefused)) continue;
      if (isMoreTelling(error, told)) told = error;
      if (error.errcode !== undefined) refused ??= error;
    }
  }
  if (told !== undefined) throw refusalOf(told);
  if (refused !== undefined) throw refused;
  throw new MatrixError('M_UNKNOWN', `No server could be asked that has this room (${last ?? 'none is known'})`, {
    status: 502,
  });
}

function isMoreTelling({ errcode = '' }: PeerRefused, before: PeerRefused | undefined): boolean {
  const rank = TOLD.indexOf(errcode);
  return rank >= 0 && (before === undefined || rank < TOLD.indexOf(before.errcode ?? ''));
}

function refusalOf({ errcode, body }: PeerRefused): MatrixError {
  const code = errcode as Errcode; // one of `TOLD`
  const { error, room_version: version } = body;
  const message = typeof error === 'string' && error !== '' ? error.slice(0, 300) : ERRORS[code][1];
  return new MatrixError(code, message, typeof version === 'string' ? { fields: { room_version: version } } : {});
}
