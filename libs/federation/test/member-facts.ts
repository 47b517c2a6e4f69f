import type { StreamFact } from '#testing/project';

/** With what the log of a.example begins. */
export const LOG_OF_A: StreamFact = {
  stream: 'server',
  type: 'log-begun',
  data: { log_id: 'l', server_name: 'a.example' },
};

/** That somebody became something in the room `!r`, by an event of their own. */
export function memberFact(userId: string, membership: string, n: number): StreamFact {
  const event_id = `$${n}`;
  const pdu = {
    type: 'm.room.member',
    state_key: userId,
    sender: userId,
    content: { membership },
    prev_events: [],
    auth_events: [],
    depth: n,
    origin_server_ts: n,
  };
  const state = [{ type: 'm.room.member', state_key: userId, event_id }];
  const header = { event_id, room_version: '11', state, root: '', visibility: 'shared' };
  return { stream: 'room-!r', type: 'pdu-accepted', data: { ...header, pdu } };
}
