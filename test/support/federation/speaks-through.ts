import { setTimeout as delay } from 'node:timers/promises';
import { path as pathIn } from '../three-users.js';
import type { Member } from './member.js';

const PAUSE_MS = 100;

/** Somebody who says so many things in a room, one after the other, as a client does: each until its server answers, also if that is killed. */
export function speaksThrough(
  member: Member,
  room: string,
  times: number,
): {
  /** The ids of all. */
  readonly all: Promise<readonly string[]>;
  hasSaid(count: number): Promise<void>;
} {
  const ids: string[] = [];
  const say = async (i: number): Promise<string> => {
    const path = pathIn(room, 'send', 'm.room.message', `through-${i}`);
    for (;;) {
      try {
        const { status, body } = await member.request('PUT', path, { msgtype: 'm.text', body: `${member.id} ${i}` });
        if (status === 200) return body.event_id;
        if (status < 500) throw new Error(`${path}: ${status}`);
      } catch (error) {
        // What `fetch` throws where there is no answer.
        if (!(error instanceof TypeError)) throw error;
      }
      await delay(PAUSE_MS);
    }
  };
  const all = (async () => {
    for (let i = 0; i < times; i++) ids.push(await say(i));
    return ids;
  })();
  return {
    all,
    async hasSaid(count) {
      while (ids.length < count) await Promise.race([delay(PAUSE_MS), all]);
    },
  };
}
