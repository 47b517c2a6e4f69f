import type { ServerName } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { PeerUnavailable } from '#kernel/peer-errors';
import type { AwakeListener, PeerRequest } from '../src/peers/peers.js';

/** A transaction that a server was sent. */
export interface SentTransaction {
  readonly server: ServerName;
  readonly id: string;
  readonly text: string;
  readonly pdus: readonly JsonObject[];
  readonly edus: readonly JsonObject[];
}

/** Other servers, as the sending side knows them: what each answers is told by the test, and all that it is sent is counted. */
export class FakePeers {
  /** Every try, in order. */
  readonly tries: SentTransaction[] = [];
  /** What was accepted. */
  readonly accepted: SentTransaction[] = [];
  readonly dead = new Set<string>();
  /** What somebody does with a transaction before it is accepted; it may throw. */
  before: (transaction: SentTransaction) => Promise<void> | void = () => {};
  readonly #listeners = new Set<AwakeListener>();
  readonly #underWay = new Map<string, number>();
  /** The most transactions that one server had under way. */
  mostUnderWay = 0;

  async ask(server: ServerName, { path, contentText = '' }: PeerRequest): Promise<JsonObject> {
    const { pdus, edus = [] } = JSON.parse(contentText) as { pdus: JsonObject[]; edus?: JsonObject[] };
    const sent = { server, id: path.slice(path.lastIndexOf('/') + 1), text: contentText, pdus, edus };
    this.tries.push(sent);
    const underWay = (this.#underWay.get(server) ?? 0) + 1;
    this.#underWay.set(server, underWay);
    this.mostUnderWay = Math.max(this.mostUnderWay, underWay);
    try {
      await this.before(sent);
      if (this.dead.has(server)) throw new PeerUnavailable(`${server}: is dead`);
      this.accepted.push(sent);
      this.wake(server);
      return { pdus: {} };
    } finally {
      this.#underWay.set(server, this.#underWay.get(server)! - 1);
    }
  }

  isLeftAlone(): boolean {
    return false;
  }

  onAwake(listener: AwakeListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** A server is heard from. */
  wake(server: string): void {
    for (const listener of this.#listeners) listener(server as ServerName);
  }

  /** What a server accepted, by what was said in it; other events by their type. */
  bodiesAt(server: string): unknown[] {
    return this.accepted
      .filter((one) => one.server === server)
      .flatMap(({ pdus }) => pdus)
      .map(({ type, content }) => (content as JsonObject)['body'] ?? type);
  }

  edusAt(server: string): unknown[] {
    return this.accepted
      .filter((one) => one.server === server)
      .flatMap(({ edus }) => edus.map(({ content }) => content));
  }
}
