import type { Client } from './homeserver.js';

/** Lets people send one message after the other into a room, each with a name of its own, until `end`. */
export function keepTalking(
  room: string,
  speakers: Readonly<Record<string, Client>>,
): {
  /** What was acknowledged so far. */
  readonly said: readonly string[];
  hasSaid(count: number): Promise<void>;
  end(): Promise<void>;
} {
  const over = new AbortController();
  const said: string[] = [];
  const talk = async ([name, client]: [string, Client]): Promise<void> => {
    for (let i = 0; !over.signal.aborted; i++) {
      await client.send(room, `${name} ${i}`);
      said.push(`${name} ${i}`);
    }
  };
  const talking = Promise.all(Object.entries(speakers).map(talk));
  return {
    said,
    async hasSaid(count) {
      while (said.length < count) await new Promise((resolve) => setTimeout(resolve, 10));
    },
    async end() {
      over.abort();
      await talking;
    },
  };
}
