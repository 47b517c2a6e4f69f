import { once } from 'node:events';
import { createWriteStream, type WriteStream } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { EventId, RoomId, ServerName } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { sealEvent } from '#protocol/signing/seal-event';
import { ForeignServer } from '#testing/receiving/foreign-server';

/** The server that joins, and a user of it. */
export const HERE = new ForeignServer('here.example', 250);
export const JOINER = HERE.user('joiner');
/** The servers that the members are of; the first has made the room. */
export const THERE = Array.from({ length: 20 }, (_, i) => new ForeignServer(`s${i}.example`, i + 1));

/** The program that makes such a room, in a process of its own: what is measured later is to be none of this. */
export const MAKER = fileURLToPath(import.meta.url);

/** What is told of a room beside its two files of PDUs, one a line. */
export interface ToldRoom {
  readonly roomId: RoomId;
  readonly version: string;
  readonly create: string;
  readonly join: string;
  readonly stateFile: string;
  readonly authFile: string;
  readonly stateEvents: number;
  readonly authEvents: number;
  /** The events of the state that tell of no member, and what authorises them: they come first in the file. */
  readonly headEvents: number;
  /** What an event of a new member stands on: its parents, and what authorises it. */
  readonly last: EventId;
  readonly toJoin: readonly EventId[];
  readonly depth: number;
}

/**
 * Makes the room of a number of members of some servers, with as many older events in the auth chains of these, in two files of a
 * directory.
 */
export async function makeToldRoom(
  directory: string,
  members: number,
  older: number,
  servers: readonly ForeignServer[] = THERE,
): Promise<ToldRoom> {
  return new Maker(findRoomVersion('11')!, servers, directory).make(members, older);
}

interface Made {
  readonly eventId: EventId;
  readonly json: string;
}

interface Draft {
  readonly server: ForeignServer;
  readonly type: string;
  readonly sender: string;
  readonly stateKey: string;
  readonly content: JsonObject;
  readonly auth: readonly (EventId | undefined)[];
}

class Maker {
  readonly #roomId: RoomId;
  readonly #stateFile: string;
  readonly #authFile: string;
  readonly #state: WriteStream;
  readonly #auth: WriteStream;
  #last: EventId | undefined;
  #depth = 0;

  constructor(
    private readonly version: RoomVersion,
    private readonly servers: readonly ForeignServer[],
    directory: string,
  ) {
    this.#roomId = `!told:${servers[0]!.name}` as RoomId;
    this.#stateFile = join(directory, 'state.jsonl');
    this.#authFile = join(directory, 'auth.jsonl');
    this.#state = createWriteStream(this.#stateFile);
    this.#auth = createWriteStream(this.#authFile);
  }

  async make(members: number, older: number): Promise<ToldRoom> {
    const { servers } = this;
    const first = servers[0]!;
    const alice = first.user('alice');
    const by = { server: first, sender: alice, stateKey: '' };
    const create = this.#seal({ ...by, type: 'm.room.create', content: { room_version: '11' }, auth: [] });
    const joined = { membership: 'join' };
    const made = this.#seal({ ...by, type: 'm.room.member', stateKey: alice, content: joined, auth: [create.eventId] });
    const levels = { users: { [alice]: 100 } };
    const auth = [create.eventId, made.eventId];
    const power = this.#seal({ ...by, type: 'm.room.power_levels', content: levels, auth });
    const full = [...auth, power.eventId];
    const rules = this.#seal({ ...by, type: 'm.room.join_rules', content: { join_rule: 'public' }, auth: full });
    const seen = { history_visibility: 'shared' };
    const visibility = this.#seal({ ...by, type: 'm.room.history_visibility', content: seen, auth: full });
    const name = this.#seal({ ...by, type: 'm.room.name', content: { name: 'Far away' }, auth: full });
    const head = [create, made, power, rules, visibility, name];
    for (const one of head) await write(this.#state, one);
    const toJoin = [create.eventId, power.eventId, rules.eventId];
    const others = members - 1;
    let left = older;
    for (let i = 0; i < others; i++) {
      const server = servers[i % servers.length]!;
      const user = server.user(`member${i}`);
      // Each has been somebody else before, most of them twice.
      const before = Math.min(left, Math.ceil(left / (others - i)));
      left -= before;
      let previous: EventId | undefined;
      for (let n = 0; n <= before; n++) {
        const content = {
          ...joined,
          displayname: `Member ${i} as of ${n}`,
          avatar_url: `mxc://${server.name}/face${i}`,
        };
        const draft = { server, type: 'm.room.member', sender: user, stateKey: user, content };
        const one = this.#seal({ ...draft, auth: [...toJoin, previous] });
        previous = one.eventId;
        await write(n === before ? this.#state : this.#auth, one);
      }
    }
    const last = this.#last!;
    const byJoiner = { server: HERE, type: 'm.room.member', sender: JOINER, stateKey: JOINER, content: joined };
    const { json } = this.#seal({ ...byJoiner, auth: toJoin });
    await Promise.all([this.#state, this.#auth].map((file) => once(file.end(), 'finish')));
    return {
      roomId: this.#roomId,
      version: this.version.id,
      create: create.json,
      join: json,
      stateFile: this.#stateFile,
      authFile: this.#authFile,
      stateEvents: head.length + others,
      authEvents: older,
      headEvents: head.length,
      last,
      toJoin,
      depth: this.#depth,
    };
  }

  #seal({ server, type, sender, stateKey, content, auth }: Draft): Made {
    const { name, signingKey } = server;
    const pdu: JsonObject = {
      auth_events: auth.filter((one) => one !== undefined),
      content,
      depth: ++this.#depth,
      origin_server_ts: 1_700_000_000_000 + this.#depth,
      prev_events: this.#last === undefined ? [] : [this.#last],
      room_id: this.#roomId,
      sender,
      state_key: stateKey,
      type,
    };
    const { eventId, json } = sealEvent(pdu, this.version, name as ServerName, signingKey);
    this.#last = eventId;
    return { eventId, json };
  }
}

async function write(file: WriteStream, { json }: Made): Promise<void> {
  if (!file.write(`${json}\n`)) await once(file, 'drain');
}

if (process.argv[1] === MAKER) {
  const [directory, members, older] = process.argv.slice(2);
  process.stdout.write(JSON.stringify(await makeToldRoom(directory!, Number(members), Number(older))));
}
