import { once } from 'node:events';
import { type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer, request, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text as textOf } from 'node:stream/consumers';
import { bodyOf } from '#testing/body-of';
import type { TestAuthority } from '#testing/test-authority';
import { canonical, type ForeignEvent, ForeignKey, idOf, type Json } from './foreign-events.js';
import type { Federating } from './other-server.js';

/** What came to it. */
export interface Call {
  readonly method: string;
  readonly path: string;
  // As of `Answer`: nothing here knows the API.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly body: any;
}

/** Answers a call: with an object, a status and an object, a text; or with nothing, and writes to the response itself, or never. */
export type Route = (call: Call, response: ServerResponse) => Json | [number, Json] | string | undefined;

export interface PeerAnswer {
  readonly status: number;
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly body: any;
}

/** A room as a server that is in it sees it. */
export interface SharedRoom {
  readonly roomId: string;
  readonly user: string;
  /** Its member event. */
  readonly join: ForeignEvent;
  readonly depth: number;
  /** What authorises its user's messages. */
  readonly auth: readonly string[];
}

/**
 * A server of nobody's make, on loopback, with a key of its own: it sends what it is told to and answers what it likes. It makes rooms
 * and events of version 10, for that is what it is tried with.
 */
export class HostileServer {
  readonly calls: Call[] = [];
  readonly key = new ForeignKey();
  /** What it says of its keys. */
  keys: () => Json | string = () => this.keyDocument();
  readonly #routes: { readonly path: RegExp; readonly route: Route }[] = [];
  #transactions = 0;
  #name: string | undefined;

  private constructor(
    private readonly http: Server,
    private readonly authority: TestAuthority,
  ) {
    this.on('/_matrix/key/v2/server.*', () => this.keys());
  }

  static async start(authority: TestAuthority): Promise<HostileServer> {
    let hostile: HostileServer | undefined;
    const { certificate: cert, key } = authority.issue();
    const http = createServer({ cert, key }, (call, response) => void hostile?.answer(call, response));
    http.listen(0, '127.0.0.1');
    await once(http, 'listening');
    hostile = new HostileServer(http, authority);
    return hostile;
  }

  get name(): string {
    // Calls may come while it ends, when it has no port any more.
    return (this.#name ??= `localhost:${(this.http.address() as AddressInfo).port}`);
  }

  /** Answers calls whose path, without its query, matches as a whole; the route that was told last comes first. */
  on(path: string, route: Route): void {
    this.#routes.unshift({ path: new RegExp(`^${path}$`), route });
  }

  /** How many calls came for paths with a text in them. */
  countCalls(part: string): number {
    return this.calls.filter(({ path }) => path.includes(part)).length;
  }

  keyDocument(key = this.key, more: Json = {}): Json {
    const verifyKeys = { [key.id]: { key: key.publicKey } };
    const validUntil = Date.now() + 24 * 3_600_000;
    const told = { server_name: this.name, valid_until_ts: validUntil, verify_keys: verifyKeys, old_verify_keys: {} };
    return key.sign({ ...told, ...more }, this.name);
  }

  /** Asks as itself. */
  async ask(server: Federating, method: string, uri: string, content?: unknown, more: Json = {}): Promise<PeerAnswer> {
    const signed = { method, uri, origin: this.name, destination: server.name, content };
    const sig = this.key.signatureOf(signed);
    const parameters = { origin: this.name, destination: server.name, key: this.key.id, sig, ...more };
    const authorization = `X-Matrix ${Object.entries(parameters)
      .map(([name, value]) => `${name}="${String(value)}"`)
      .join(',')}`;
    return this.askWith(server, method, uri, { authorization }, content === undefined ? '' : canonical(content));
  }

  /** Asks with headers and a body as they are. */
  async askWith(
    server: Federating,
    method: string,
    path: string,
    headers: Readonly<Record<string, string>>,
    body: string,
  ): Promise<PeerAnswer> {
    const { certificate: ca } = this.authority;
    const all = { ...headers, ...(body === '' ? {} : { 'content-type': 'application/json' }) };
    const sent = request(`https://${server.name}${path}`, { method, headers: all, ca, agent: false });
    sent.end(body);
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    const text = await textOf(response);
    return { status: response.statusCode ?? 0, body: text === '' ? undefined : JSON.parse(text) };
  }

  /** Sends events and EDUs in one transaction. */
  send(server: Federating, pdus: readonly unknown[], edus: readonly unknown[] = [], id?: string): Promise<PeerAnswer> {
    const path = `/_matrix/federation/v1/send/${id ?? `h${this.#transactions++}`}`;
    const content = { origin: this.name, origin_server_ts: Date.now(), pdus, edus };
    return this.ask(server, 'PUT', path, content);
  }

  /** Sends one event; answers why it was refused, undefined where it was taken. */
  async tell(server: Federating, { id, pdu }: ForeignEvent): Promise<string | undefined> {
    const { status, body } = await this.send(server, [pdu]);
    if (status !== 200) return `${status} ${body.errcode}`;
    return id in body.pdus ? body.pdus[id].error : 'it is not spoken of';
  }

  /** An event with its hash, signed with its key. */
  seal(event: Json): ForeignEvent {
    return this.key.seal({ origin: this.name, origin_server_ts: Date.now(), ...event }, this.name);
  }

  /** Joins a public room of a server's as a user of its own. */
  async join(server: Federating, roomId: string, localpart: string): Promise<SharedRoom> {
    const user = `@${localpart}:${this.name}`;
    const room = encodeURIComponent(roomId);
    const made = await this.ask(
      server,
      'GET',
      `/_matrix/federation/v1/make_join/${room}/${encodeURIComponent(user)}?ver=10`,
    );
    if (made.status !== 200) throw new Error(`make_join: ${made.status} ${JSON.stringify(made.body)}`);
    const join = this.seal(made.body.event);
    const sent = await this.ask(
      server,
      'PUT',
      `/_matrix/federation/v2/send_join/${room}/${encodeURIComponent(join.id)}`,
      join.pdu,
    );
    if (sent.status !== 200) throw new Error(`send_join: ${sent.status} ${JSON.stringify(sent.body)}`);
    const { auth_events: authEvents, depth } = join.pdu as { auth_events: string[]; depth: number };
    const rules = this.#idsOf(sent.body.state, 'm.room.join_rules');
    return { roomId, user, join, depth, auth: [...authEvents.filter((id) => !rules.includes(id)), join.id] };
  }

  /** A message of its user in a room, behind its join unless told otherwise. */
  message(room: SharedRoom, more: Json = {}): ForeignEvent {
    return this.seal({
      type: 'm.room.message',
      room_id: room.roomId,
      sender: room.user,
      content: { msgtype: 'm.text', body: 'from elsewhere' },
      depth: room.depth + 1,
      prev_events: [room.join.id],
      auth_events: room.auth,
      ...more,
    });
  }

  async stop(): Promise<void> {
    this.http.closeAllConnections();
    await new Promise((resolve) => this.http.close(resolve));
  }

  #idsOf(state: readonly Json[], type: string): string[] {
    return state.filter((event) => event['type'] === type).map(idOf);
  }

  private async answer(call: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '' } = call;
    const text = await bodyOf(call);
    const [path = ''] = url.split('?', 1);
    const told = { method, path: url, body: text === '' ? undefined : JSON.parse(text) };
    this.calls.push(told);
    const { route } = this.#routes.find((one) => one.path.test(path)) ?? {};
    const answer = route === undefined ? unknownPath() : route(told, response);
    if (answer === undefined) return;
    const [status, body] = Array.isArray(answer) ? answer : [200, answer];
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(typeof body === 'string' ? body : canonical(body));
  }
}

function unknownPath(): [number, Json] {
  return [404, { errcode: 'M_UNRECOGNIZED', error: 'There is no such path' }];
}
