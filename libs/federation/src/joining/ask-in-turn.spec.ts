import { describe, expect, it } from 'vitest';
import type { ServerName } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { PeerRefused, PeerUnavailable } from '#kernel/peer-errors';
import { askInTurn } from './ask-in-turn.js';

const names = (count: number): ServerName[] => Array.from({ length: count }, (_, i) => `${i}.example` as ServerName);
const refused = (errcode: string, status = 400, more = {}): PeerRefused =>
  new PeerRefused(status, { errcode, error: `said ${errcode}`, ...more });

/** Asks as many servers as there are answers; what is thrown. */
async function refusalOf(...errors: Error[]): Promise<unknown> {
  const left = [...errors];
  return askInTurn(names(errors.length), () => Promise.reject(left.shift()!)).catch((error: unknown) => error);
}

describe('several servers that are asked for one thing', () => {
  it('are asked until one does it', async () => {
    const asked: string[] = [];
    const answer = await askInTurn(names(5), async (server) => {
      asked.push(server);
      if (asked.length === 1) throw new PeerUnavailable('away');
      if (asked.length === 2) throw refused('M_NOT_FOUND', 404);
      return server;
    });
    expect([answer, asked.length]).toEqual(['2.example', 3]);
  });

  it('have what is most telling of their refusals told', async () => {
    const error = await refusalOf(
      refused('M_NOT_FOUND', 404),
      refused('M_FORBIDDEN', 403),
      new PeerUnavailable('away'),
    );
    expect(error).toMatchObject({ errcode: 'M_FORBIDDEN', status: 403, message: 'said M_FORBIDDEN' });
    const version = await refusalOf(refused('M_INCOMPATIBLE_ROOM_VERSION', 400, { room_version: '99' }));
    expect((version as MatrixError).toBody()).toMatchObject({ room_version: '99' });
  });

  it('have what the first of them refused in words of its own told, where none says what is more telling', async () => {
    const own = refused('EXAMPLE_CLOSED_TODAY');
    expect(await refusalOf(new PeerUnavailable('away'), own, refused('M_INVALID_PARAM'))).toBe(own);
  });

  it('are named where none of them could be asked, or said why', async () => {
    const error = await refusalOf(new PeerUnavailable('away'), new PeerRefused(500, {}));
    expect(error).toMatchObject({ errcode: 'M_UNKNOWN', status: 502 });
    expect((error as Error).message).toContain('1.example: 500');
  });

  it('are not asked any more after what is no fault of theirs, nor without end', async () => {
    const wrong = new Error('a bug');
    expect(await refusalOf(wrong, refused('M_FORBIDDEN'))).toBe(wrong);
    let asked = 0;
    await askInTurn(names(100), () => {
      asked++;
      return Promise.reject(new PeerUnavailable('away'));
    }).catch(() => undefined);
    expect(asked).toBeLessThan(20);
  });
});
