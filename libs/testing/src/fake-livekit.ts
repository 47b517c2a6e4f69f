import { createHmac, hash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { bodyOf } from './body-of.js';

/** What a token for LiveKit says. */
export interface LiveKitClaims {
  readonly iss: string;
  readonly sub?: string;
  readonly nbf: number;
  readonly exp: number;
  readonly metadata?: string;
  readonly video: Readonly<Record<string, unknown>>;
}

/** A request to who listens to what it says of itself. */
export interface WebhookRequest {
  readonly method: 'POST';
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

type Body = Readonly<Record<string, string>>;

const DENIED: [status: number, body: object] = [403, { code: 'permission_denied' }];
/** Clocks of two servers are apart by some seconds; that of this one goes on where a test has moved the other. */
const LEEWAY_S = 10;

/** A LiveKit: its RoomService, which looks at who asks as the real one does, and knows who is in which room as the test has it. */
export class FakeLiveKit {
  readonly key = 'devkey';
  readonly secret = 'a secret that is longer than thirty-two characters';
  /** The rooms that were made, with what was said of them. */
  readonly rooms = new Map<string, Body>();
  /** Who is in which room, as `room identity`, with what their token says of them. */
  readonly present = new Map<string, string>();
  /** What it was asked, in order. */
  readonly asked: string[] = [];
  /** It answers with this status instead. */
  fails: number | undefined;
  /** Of this room it does not say who is there. */
  silentOn: string | undefined;
  readonly #server: Server;
  #port = 0;

  private constructor() {
    this.#server = createServer((request, response) => {
      void this.#answer(request).then(([status, body]) =>
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body)),
      );
    });
  }

  static async start(): Promise<FakeLiveKit> {
    const livekit = new FakeLiveKit();
    livekit.#server.listen(0, '127.0.0.1');
    await once(livekit.#server, 'listening');
    livekit.#port = (livekit.#server.address() as AddressInfo).port;
    return livekit;
  }

  /** Where clients would reach it. */
  get url(): string {
    return `ws://127.0.0.1:${this.#port}/sfu`;
  }

  /** What a homeserver is told of it. */
  get settings(): Readonly<Record<string, string>> {
    return { ANNALS_LIVEKIT_URL: this.url, ANNALS_LIVEKIT_KEY: this.key, ANNALS_LIVEKIT_SECRET: this.secret };
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Has the bearer of a token in its room; answers what it says of that. Throws where it would not let them in. */
  letIn(token: string): WebhookRequest {
    const { sub, video, metadata = '' } = this.read(token);
    const room = String(video['room']);
    if (video['roomJoin'] !== true || !this.rooms.has(room)) throw new Error('no such room for them');
    this.present.set(`${room} ${sub}`, metadata);
    return this.webhook({
      event: 'participant_joined',
      room: { name: room },
      participant: { identity: sub, metadata },
    });
  }

  /** Has the bearer of a token out of its room; answers what it says of that. */
  putOut(token: string): WebhookRequest {
    const { sub, video } = this.read(token);
    this.present.delete(`${String(video['room'])} ${sub}`);
    return this.webhook({ event: 'participant_left', room: { name: video['room'] }, participant: { identity: sub } });
  }

  /** Whether the bearer of a token is in its room. */
  has(token: string): boolean {
    const { sub, video } = this.read(token);
    return this.present.has(`${String(video['room'])} ${sub}`);
  }

  /** What it would send to who listens. */
  webhook(event: object): WebhookRequest {
    const body = JSON.stringify(event);
    const exp = Math.floor(performance.timeOrigin / 1_000) + 24 * 60 * 60;
    const authorization = this.#sign({ iss: this.key, nbf: 0, exp, sha256: hash('sha256', body, 'base64') });
    return { method: 'POST', headers: { authorization, 'content-type': 'application/webhook+json' }, body };
  }

  #sign(claims: object): string {
    const text = [{ alg: 'HS256', typ: 'JWT' }, claims]
      .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
      .join('.');
    return `${text}.${createHmac('sha256', this.secret).update(text).digest('base64url')}`;
  }

  /** The claims of a token that it would let in. Throws for any other. */
  read(token: string): LiveKitClaims {
    const [header = '', claims = '', signature] = token.split('.');
    const right = createHmac('sha256', this.secret).update(`${header}.${claims}`).digest('base64url');
    if (signature !== right) throw new Error('not signed with the secret');
    const said = JSON.parse(Buffer.from(claims, 'base64url').toString()) as LiveKitClaims;
    const now = (performance.timeOrigin + performance.now()) / 1_000;
    if (said.iss !== this.key || said.nbf > now + LEEWAY_S || said.exp <= now)
      throw new Error('of another key, or time');
    return said;
  }

  async #answer(request: IncomingMessage): Promise<[status: number, body: object]> {
    const text = await bodyOf(request);
    if (this.fails !== undefined) return [this.fails, { code: 'internal', msg: 'it fails' }];
    const method = /^\/sfu\/twirp\/livekit\.RoomService\/(\w+)$/.exec(request.url ?? '')?.[1] ?? 'nothing';
    let granted: LiveKitClaims['video'];
    try {
      granted = this.read(request.headers.authorization?.replace(/^Bearer /, '') ?? '').video;
    } catch (error) {
      return [401, { code: 'unauthenticated', msg: String(error) }];
    }
    this.asked.push(method);
    return this.#do(method, granted, JSON.parse(text) as Body);
  }

  #do(method: string, granted: LiveKitClaims['video'], body: Body): [status: number, body: object] {
    const { name = '', room = '', identity } = body;
    if (method === 'CreateRoom') {
      if (granted['roomCreate'] !== true) return DENIED;
      this.rooms.set(name, body);
      return [200, { sid: 'RM_x', name }];
    }
    if (method === 'ListRooms') {
      return granted['roomList'] === true
        ? [200, { rooms: [...this.rooms.keys()].map((one) => ({ name: one })) }]
        : DENIED;
    }
    if (granted['roomAdmin'] !== true || granted['room'] !== room) return DENIED;
    if (method === 'ListParticipants') {
      if (room === this.silentOn) return [500, { code: 'internal' }];
      const seated = [...this.present].map(([who, metadata]) => ({ who: who.split(' '), metadata }));
      const here = seated.filter(({ who }) => who[0] === room);
      return [200, { participants: here.map(({ who, metadata }) => ({ identity: who[1], metadata })) }];
    }
    const who = `${room} ${identity}`;
    if (!this.present.has(who)) return [404, { code: 'not_found' }];
    if (method === 'RemoveParticipant') this.present.delete(who);
    return method === 'GetParticipant' || method === 'RemoveParticipant' ? [200, { identity }] : [404, {}];
  }
}
