import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { bodyOf } from '#testing/body-of';

/** A transaction as it went to an application service. */
export interface SentTransaction {
  readonly id: string;
  readonly text: string;
  /** What the service answered; 502 where it was not there. */
  readonly status: number;
}

/** Stands between a server and an application service, and notes the transactions. Where the service is not there it says so. */
export class RecordingProxy {
  /** In the order in which they were answered. */
  readonly transactions: SentTransaction[] = [];

  private constructor(
    private readonly server: Server,
    private readonly target: string,
  ) {}

  /** `target`: where the service listens. */
  static async start(target: string): Promise<RecordingProxy> {
    const server = createServer();
    const proxy = new RecordingProxy(server, target);
    server.on('request', (request, response) => void proxy.#pass(request, response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** The ids of the events that the service has taken, each as often as it was told of it under another id of a transaction. */
  get eventsTaken(): string[] {
    const taken = new Map(this.transactions.filter(({ status }) => status === 200).map(({ id, text }) => [id, text]));
    return [...taken.values()].flatMap((text) =>
      (JSON.parse(text) as { events: { event_id: string }[] }).events.map(({ event_id: id }) => id),
    );
  }

  close(): void {
    this.server.closeAllConnections();
    this.server.close();
  }

  async #pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const text = await bodyOf(request);
    const { method = '', url = '', headers } = request;
    const { authorization = '', 'content-type': type = 'application/json' } = headers;
    const body = text === '' ? undefined : text;
    const answer = await fetch(`${this.target}${url}`, {
      method,
      headers: { authorization, 'content-type': type },
      body,
    })
      .then(async (each) => ({ status: each.status, text: await each.text() }))
      .catch(() => ({ status: 502, text: '{}' }));
    const id = /\/transactions\/([^?]+)/.exec(url)?.[1];
    if (id !== undefined) this.transactions.push({ id, text, status: answer.status });
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(answer.text);
  }
}
