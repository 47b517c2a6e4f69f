import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Type } from '@nestjs/common';
import type { EventStore, RecordedFact } from '#event-store/event-store';
import type { ProjectionRuntime } from '#projections/projection-runtime';
import { openStores, type RunningApp, startSyncApp, type Stores } from './start-sync-app.js';

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

/** What a request was answered. */
export interface SyncAnswer {
  readonly status: number;
  // The suites look at what they expect of each answer; nothing here knows the API.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly body: any;
}

type Params = Readonly<Record<string, string | number | boolean | object>>;

/** Rooms, accounts, typing, receipts and everything that tells of them, over real stores that outlive a restart. */
export class SyncApp {
  readonly directory = mkdtempSync(join(tmpdir(), 'annals-sync-'));
  #running: RunningApp | undefined;
  #settings: Readonly<Record<string, string>> = {};

  /** Starts it over stores of its own, or over those given. */
  static async start(stores?: Stores, settings: Readonly<Record<string, string>> = {}): Promise<SyncApp> {
    const app = new SyncApp();
    app.#settings = settings;
    app.#running = await startSyncApp(app.directory, stores ?? (await openStores(app.directory)), settings);
    return app;
  }

  /** Begins to drain: long polls answer. */
  shutDown(): void {
    this.#running?.shutdown.abort();
  }

  /** Ends and starts again over the same stores; `withoutViews`: over the log alone, of which they are made anew. */
  async restart(withoutViews = false): Promise<void> {
    await this.#running?.close();
    if (withoutViews) rmSync(join(this.directory, 'views'), { recursive: true });
    this.#running = await startSyncApp(this.directory, await openStores(this.directory), this.#settings);
  }

  async close(): Promise<void> {
    await this.#running?.close();
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** As `close`, for a process that does nothing any more. */
  abandon(): void {
    this.#running?.abandon();
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** The running projections, with the effects. */
  get views(): ProjectionRuntime {
    return this.#running!.views;
  }

  /** The log. */
  get store(): EventStore {
    return this.#running!.store;
  }

  /** The facts of a stream, as the log has them now. */
  async factsOf(stream: string): Promise<RecordedFact[]> {
    const facts: RecordedFact[] = [];
    for await (const fact of this.store.readStream(stream)) facts.push(fact);
    return facts;
  }

  /** Settles when the views show all that the log has. */
  async settled(): Promise<void> {
    const { store, views } = this.#running!;
    await views.whenProcessed(await store.head());
  }

  /** A provider of the running application. */
  get<T>(token: Type<T>): T {
    return this.#running!.app.get(token, { strict: false });
  }

  async call(method: Method, path: string, token?: string, body?: unknown): Promise<SyncAnswer> {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const payload = body === undefined ? undefined : JSON.stringify(body);
    const fastify = this.#running!.app.getHttpAdapter().getInstance();
    const answer = await fastify.inject({ method, url: path, headers, payload });
    return { status: answer.statusCode, body: JSON.parse(answer.payload) as unknown };
  }

  /** A request whose body and answer are the texts that they are. */
  async callText(
    method: Method,
    path: string,
    token: string,
    text?: string,
    type?: string,
  ): Promise<{ status: number; text: string }> {
    const headers = { authorization: `Bearer ${token}`, ...(type === undefined ? {} : { 'content-type': type }) };
    const fastify = this.#running!.app.getHttpAdapter().getInstance();
    const answer = await fastify.inject({ method, url: path, headers, payload: text });
    return { status: answer.statusCode, text: answer.payload };
  }

  /** Somebody with an account and one device. */
  async register(username: string): Promise<SyncUser> {
    const body = { username, password: `password of ${username}`, auth: { type: 'm.login.dummy' } };
    const { body: session } = await this.call('POST', '/_matrix/client/v3/register', undefined, body);
    return new SyncUser(this, session.user_id, session.access_token);
  }
}

/** Somebody who speaks to the doors. Paths are those of today's API unless they begin at the root; `v1` those of 2014/15. */
export class SyncUser {
  constructor(
    readonly app: SyncApp,
    readonly userId: string,
    readonly token: string,
  ) {}

  /** The same user with another device. */
  async logIn(): Promise<SyncUser> {
    const { body: session } = await this.app.call('POST', '/_matrix/client/v3/login', undefined, this.auth);
    return new SyncUser(this.app, this.userId, session.access_token);
  }

  /** What shows by their password that it is they. */
  get auth(): object {
    const password = `password of ${this.userId.slice(1, this.userId.indexOf(':'))}`;
    return { type: 'm.login.password', identifier: { type: 'm.id.user', user: this.userId }, password };
  }

  /** Closes the account. */
  async close(options: { readonly erase?: boolean } = {}): Promise<void> {
    await this.ok('POST', '/account/deactivate', { auth: this.auth, ...options });
  }

  /** The same user, speaking to another app over the same facts. */
  on(app: SyncApp): SyncUser {
    return new SyncUser(app, this.userId, this.token);
  }

  call(method: Method, path: string, body?: unknown): Promise<SyncAnswer> {
    return this.app.call(method, path.startsWith('/_') ? path : `/_matrix/client/v3${path}`, this.token, body);
  }

  v1(method: Method, path: string, body?: unknown): Promise<SyncAnswer> {
    return this.call(method, `/_matrix/client/api/v1${path}`, body);
  }

  /** As `call`, for what must succeed: answers the body. */
  async ok(method: Method, path: string, body?: unknown): Promise<SyncAnswer['body']> {
    const answer = await this.call(method, path, body);
    if (answer.status !== 200) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  async createRoom(options: object = {}): Promise<string> {
    return (await this.ok('POST', '/createRoom', options)).room_id;
  }

  async join(roomId: string): Promise<void> {
    await this.ok('POST', `/join/${encodeURIComponent(roomId)}`, {});
  }

  async leave(roomId: string): Promise<void> {
    await this.ok('POST', `${roomPath(roomId)}/leave`, {});
  }

  async send(roomId: string, body: string, content: object = {}): Promise<string> {
    const path = `${roomPath(roomId)}/send/m.room.message/${transactions++}`;
    return (await this.ok('PUT', path, { msgtype: 'm.text', body, ...content })).event_id;
  }

  async setState(roomId: string, type: string, content: object, key = ''): Promise<string> {
    const path = `${roomPath(roomId)}/state/${type}/${encodeURIComponent(key)}`;
    return (await this.ok('PUT', path, content)).event_id;
  }

  sync(params: Params = {}): Promise<SyncAnswer['body']> {
    return this.ok('GET', `/sync?${queryOf(params)}`);
  }
}

let transactions = 0;

/** The path of a room. */
export function roomPath(roomId: string): string {
  return `/rooms/${encodeURIComponent(roomId)}`;
}

/** A query; objects as JSON. */
export function queryOf(params: Params): string {
  const entries = Object.entries(params).map(([key, value]): [string, string] => [
    key,
    typeof value === 'object' ? JSON.stringify(value) : String(value),
  ]);
  return new URLSearchParams(entries).toString();
}
