import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { JsonObject } from '#kernel/json';
import { bodyOf } from './body-of.js';

/** A request that the service got. */
export interface ServiceCall {
  readonly method: string;
  /** As it was sent, with its query. */
  readonly path: string;
  readonly authorization: string | undefined;
  readonly text: string;
}

type Answering = (call: ServiceCall) => Promise<readonly [status: number, body: object]> | readonly [number, object];

/** An application service that only listens, and answers 200 with nothing unless it is told to answer otherwise. */
export class FakeService {
  /** In the order of their coming. */
  readonly calls: ServiceCall[] = [];
  /** Answers a request. */
  answer: Answering = () => [200, {}];
  readonly #waiting = new Set<() => void>();

  private constructor(private readonly server: Server) {}

  static async start(port = 0): Promise<FakeService> {
    const server = createServer();
    const service = new FakeService(server);
    server.on('request', (request, response) => void service.#take(request, response));
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    return service;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** The transactions that came, those that it did not take among them. */
  get transactions(): readonly { readonly id: string; readonly text: string; readonly body: JsonObject }[] {
    return this.calls.flatMap(({ path, text }) => {
      const id = /\/transactions\/([^?]+)/.exec(path)?.[1];
      return id === undefined ? [] : [{ id, text, body: JSON.parse(text) as JsonObject }];
    });
  }

  /** The events of all transactions, one after another. */
  get events(): readonly JsonObject[] {
    return this.transactions.flatMap(({ body }) => body['events'] as JsonObject[]);
  }

  /** Settles with what `look` answers, once that is something. */
  async until<T>(look: () => T | undefined | false): Promise<T> {
    for (;;) {
      const found = look();
      if (found !== undefined && found !== false) return found;
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  close(): Promise<void> {
    this.server.closeAllConnections();
    return new Promise((resolve) => this.server.close(() => resolve()));
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const text = await bodyOf(request);
    const { method = '', url: path = '', headers } = request;
    const call = { method, path, authorization: headers.authorization, text };
    this.calls.push(call);
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
    const [status, body] = await this.answer(call);
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  }
}
