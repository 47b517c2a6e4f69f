import { type Figure, percentile, under } from './figures.js';
import { benchPresenceCrowd } from './presence-crowd.js';
import { type BenchUser, RunningServer } from './running-server.js';

const MEMBERS = Number(process.env['BENCH_MEMBERS'] ?? 1_000);
const ROUNDS = 5;

/** A client that asks on and on, and whom it was told of by presence since it was last asked. */
class Follower {
  readonly told = new Set<string>();
  answers = 0;
  bytes = 0;
  #since = '';
  #isOver = false;

  constructor(
    private readonly server: RunningServer,
    readonly user: BenchUser,
  ) {}

  /** Begins; as somebody who is not there. */
  async begin(): Promise<void> {
    this.#since = await this.#ask('set_presence=offline');
    this.told.clear();
  }

  /** Asks until it is ended. */
  follow(query: string): void {
    const ask = async (): Promise<void> => {
      while (!this.#isOver) this.#since = await this.#ask(`${query}&since=${this.#since}&timeout=30000`);
    };
    ask().catch((error: unknown) => {
      if (!this.#isOver) throw error;
    });
  }

  end(): void {
    this.#isOver = true;
  }

  async #ask(query: string): Promise<string> {
    const text = await this.server.text('GET', `/_matrix/client/v3/sync?${query}`, this.user.token);
    this.answers++;
    this.bytes += text.length;
    for (const [, sender] of text.matchAll(/"m\.presence","sender":"([^"]+)"/g)) this.told.add(sender!);
    return /"next_batch":"([^"]+)"/.exec(text)![1]!;
  }
}

/**
 * A thousand members of one room who all follow it: as they all come at once, which is the worst that presence can cost, and as one of
 * them comes to what the others are quiet in.
 */
export async function benchPresence(): Promise<Figure[]> {
  const figures = await benchPresenceCrowd();
  const server = await RunningServer.start({
    connections: MEMBERS + 50,
    env: { ANNALS_REGISTRATION_SHARED_SECRET: 'bench' },
  });
  try {
    const followers = await gather(server);
    const coming = await measureComing(server, followers);
    const one = await measureOne(server, followers);
    for (const each of followers) each.end();
    figures.push(...coming, ...one);
  } finally {
    await server.stop();
  }
  return figures;
}

async function gather(server: RunningServer): Promise<Follower[]> {
  const users: BenchUser[] = [];
  for (let i = 0; i < MEMBERS; i += 8) {
    users.push(...(await Promise.all(Array.from({ length: 8 }, (_, j) => server.register(`member${i + j}`)))));
  }
  const room = encodeURIComponent(await server.createRoom(users[0]!));
  for (const { token } of users) await server.text('POST', `/_matrix/client/v3/join/${room}`, token, {});
  const followers = users.map((user) => new Follower(server, user));
  for (const each of followers) await each.begin();
  return followers;
}

async function measureComing(server: RunningServer, followers: readonly Follower[]): Promise<Figure[]> {
  for (const each of followers) Object.assign(each, { answers: 0, bytes: 0 });
  const [began, spent] = [performance.now(), server.processorMs()];
  for (const each of followers) each.follow('set_presence=online');
  await until(() => followers.every(({ told }) => told.size === followers.length));
  const [ms, processor] = [performance.now() - began, server.processorMs() - spent];
  const answers = sum(followers, ({ answers: n }) => n);
  const bytes = sum(followers, ({ bytes: n }) => n);
  const of = `${followers.length} members of one room come at once`;
  return [
    under(`${of}: until each knows of all`, 's', ms / 1_000, 30),
    under(`${of}: time of the processors`, 's', processor / 1_000, 20),
    under(`${of}: answers to each`, '', answers / followers.length, 20),
    under(`${of}: told to each`, 'kB', bytes / followers.length / 1_024, 256),
  ];
}

async function measureOne(server: RunningServer, followers: readonly Follower[]): Promise<Figure[]> {
  const changing = followers[0]!;
  const path = `/_matrix/client/v3/presence/${encodeURIComponent(changing.user.userId)}/status`;
  const times: number[] = [];
  const processor: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    // What went before has been told, and those who asked again wait.
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    for (const each of followers) each.told.clear();
    const [began, spent] = [performance.now(), server.processorMs()];
    await server.text('PUT', path, changing.user.token, { presence: round % 2 === 0 ? 'unavailable' : 'online' });
    await until(() => followers.every(({ told }) => told.has(changing.user.userId)));
    times.push(performance.now() - began);
    processor.push(server.processorMs() - spent);
  }
  const of = `one of ${followers.length} members comes or goes`;
  return [
    under(`${of}: until all are told, median`, 'ms', percentile(times, 50), 1_000),
    under(`${of}: time of the processors for each that is told`, 'ms', percentile(processor, 50) / followers.length, 1),
  ];
}

function sum(followers: readonly Follower[], of: (one: Follower) => number): number {
  return followers.reduce((all, one) => all + of(one), 0);
}

async function until(isSo: () => boolean): Promise<void> {
  const deadline = performance.now() + 180_000;
  while (!isSo()) {
    if (performance.now() > deadline) throw new Error('not all were told');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
