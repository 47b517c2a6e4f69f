import { describe, expect, it } from 'vitest';
import { positionOf } from '#testing/position-of';
import { project, type StreamFact } from '#testing/project';
import { createRoomFactReader } from '#rooms/projections/room-fact-reader';
import { LOG_OF_A, memberFact } from '../../test/member-facts.js';
import { remoteServersProjector } from './remote-servers.projector.js';

function rowsOf(...facts: readonly StreamFact[]): Promise<Record<string, unknown>> {
  return project(remoteServersProjector(createRoomFactReader()), [LOG_OF_A, ...facts]);
}

const serversOf = (rows: Record<string, unknown>): [string, unknown][] =>
  Object.entries(rows).filter(([key]) => /^(room|server)-/.test(key));

describe('the servers in a room', () => {
  it('have no rows where all members are of this server', async () => {
    const rows = await rowsOf(memberFact('@a:a.example', 'join', 1), memberFact('@b:a.example', 'join', 2));
    expect(Object.keys(rows)).toEqual(['own-server-name server']);
  });

  it('are those with a joined member, since the first of them', async () => {
    const rows = await rowsOf(
      memberFact('@b:b.example', 'join', 1),
      memberFact('@c:b.example', 'join', 2),
      memberFact('@b:b.example', 'leave', 3),
      memberFact('@i:c.example', 'invite', 4),
    );
    const since = positionOf(2);
    expect(serversOf(rows)).toEqual([
      ['room-servers !r in b.example', { since }],
      ['server-rooms b.example in !r', { since }],
      ['room-servers-changed !r', since],
    ]);
  });

  it('are not those any more of which the last member has left or was banned, and are again with the next', async () => {
    const gone = [
      memberFact('@b:b.example', 'join', 1),
      memberFact('@c:b.example', 'join', 2),
      memberFact('@b:b.example', 'leave', 3),
      memberFact('@c:b.example', 'ban', 4),
      memberFact('@c:b.example', 'leave', 5),
    ];
    const [since, until] = [positionOf(2), positionOf(5)];
    expect(serversOf(await rowsOf(...gone))).toEqual([
      ['room-servers !r out b.example', { since, until, ended_by: 3 }],
      ['server-rooms b.example out !r', { since, until, ended_by: 3 }],
      ['room-servers-changed !r', until],
    ]);
    expect(serversOf(await rowsOf(...gone, memberFact('@c:b.example', 'join', 6)))).toEqual([
      ['room-servers !r in b.example', { since: positionOf(7) }],
      ['server-rooms b.example in !r', { since: positionOf(7) }],
      ['room-servers-changed !r', positionOf(7)],
    ]);
  });

  it('stay as they are where a member changes their name', async () => {
    const rows = await rowsOf(memberFact('@b:b.example', 'join', 1), memberFact('@b:b.example', 'join', 2));
    expect(rows['room-servers !r in b.example']).toEqual({ since: positionOf(2) });
  });

  it('hear of the end of an invitation or a knock, but not where it is that somebody came', async () => {
    const rows = await rowsOf(
      memberFact('@b:b.example', 'invite', 1),
      memberFact('@c:b.example', 'knock', 2),
      memberFact('@d:b.example', 'invite', 3),
      memberFact('@b:b.example', 'leave', 4),
      memberFact('@c:b.example', 'ban', 5),
      memberFact('@d:b.example', 'join', 6),
      memberFact('@e:b.example', 'ban', 7),
      memberFact('@f:b.example', 'invite', 8),
    );
    const asked = Object.entries(rows).filter(([key]) => key.startsWith('asked-'));
    expect(asked).toEqual([
      ['asked-remote-members !r @f:b.example', positionOf(9)],
      [`asked-ends b.example ${positionOf(5)}`, { room_id: '!r', revision: 3 }],
      [`asked-ends b.example ${positionOf(6)}`, { room_id: '!r', revision: 4 }],
    ]);
  });

  it('do not count who is no user of any server', async () => {
    expect(Object.keys(await rowsOf(memberFact('nobody', 'join', 1)))).toEqual(['own-server-name server']);
  });
});
