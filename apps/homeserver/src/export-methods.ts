import { findAccount } from '#accounts/queries/find-account';
import { findLocalUserId } from '#accounts/user-ids';
import type { ServerName } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { Export, HandOver } from '#personal-data/hand-over';
import { type ControlMethod, ControlStream } from '#projections/control-server';
import type { Views } from '#projections/views';

/** A part of what `users.export` answers: with a `path` a file begins, of which the `base64` of these that follow is the content. */
export type ExportedPart = { readonly path: string; readonly bytes: number } | { readonly base64: string };

const CHUNK_BYTES = 256 * 1024;

/** Hands the command line what the running server has of somebody. The socket is its owner's alone. */
export function exportMethods(
  handOver: HandOver,
  views: Pick<Views, 'get'>,
  serverName: ServerName,
): Readonly<Record<string, ControlMethod>> {
  return {
    'users.export': async ({ method, name }) => {
      if (typeof name !== 'string') throw new Error(`${method}: whose data?`);
      const userId = findLocalUserId(name, serverName);
      if (userId === undefined) throw new MatrixError('M_INVALID_PARAM', `${name} is not a user of ${serverName}`);
      if ((await findAccount(views, userId)) === undefined)
        throw new MatrixError('M_NOT_FOUND', `${userId} has no account here`);
      return new ControlStream(partsOf(handOver.beginForOperator(userId)));
    },
  };
}

async function* partsOf({ files, end }: Export): AsyncGenerator<ExportedPart, void> {
  try {
    for await (const { path, bytes, content } of files) {
      yield { path, bytes };
      for await (const piece of content instanceof Uint8Array ? [content] : content) yield* chunksOf(piece);
    }
  } finally {
    end();
  }
}

function* chunksOf(piece: Uint8Array): Generator<ExportedPart, void> {
  for (let at = 0; at < piece.length; at += CHUNK_BYTES)
    yield { base64: Buffer.from(piece.subarray(at, at + CHUNK_BYTES)).toString('base64') };
}
