import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { GatewayTurns } from './gateway-turns.js';
import type { GatewayAnswer } from './push-gateways.js';

const TAKEN: GatewayAnswer = { kind: 'taken', told: [], rejected: [] };
const AWAY: GatewayAnswer = { kind: 'away', told: [], rejected: [] };

/** Tasks that end when they are told how. */
class Tasks {
  readonly begun: string[] = [];
  readonly #ends = new Map<string, (answer: GatewayAnswer) => void>();

  run(turns: GatewayTurns, name: string, hasFailed = false): Promise<GatewayAnswer> {
    const task = (): Promise<GatewayAnswer> => {
      this.begun.push(name);
      return new Promise((end) => this.#ends.set(name, end));
    };
    return turns.run(task, hasFailed);
  }

  async end(name: string, answer: GatewayAnswer): Promise<void> {
    this.#ends.get(name)!(answer);
    await nextTurn();
  }
}

describe('the turns of a gateway', () => {
  it('are eight at once, and then of who did not fail before', async () => {
    const [turns, tasks] = [new GatewayTurns(), new Tasks()];
    for (let i = 0; i < 9; i++) void tasks.run(turns, `${i}`, true);
    void tasks.run(turns, 'fresh');
    await nextTurn();
    expect(tasks.begun).toHaveLength(8);
    await tasks.end('0', { ...TAKEN, kind: 'nothing' });
    expect(tasks.begun.slice(8)).toEqual(['fresh']);
    await tasks.end('1', TAKEN);
    expect(tasks.begun.slice(9)).toEqual(['8']);
  });

  it('are more at once with each answer, up to thirty-two, and eight again after a failure', async () => {
    const [turns, tasks] = [new GatewayTurns(), new Tasks()];
    for (let i = 0; i < 200; i++) void tasks.run(turns, `${i}`);
    await nextTurn();
    for (let i = 0; i < 40; i++) await tasks.end(`${i}`, TAKEN);
    expect(tasks.begun).toHaveLength(40 + 32);
    await tasks.end('40', AWAY);
    for (let i = 41; i < 65; i++) await tasks.end(`${i}`, { ...TAKEN, kind: 'nothing' });
    expect(tasks.begun).toHaveLength(65 + 8);
  });

  it('are one at a time while the gateway is away, until it answers', async () => {
    const [turns, tasks] = [new GatewayTurns(), new Tasks()];
    for (let i = 0; i < 20; i++) void tasks.run(turns, `${i}`);
    await nextTurn();
    for (let i = 0; i < 8; i++) await tasks.end(`${i}`, AWAY);
    // Those that had begun before it was known to be away were let in.
    const before = tasks.begun.length;
    for (let i = 8; i < before; i++) await tasks.end(`${i}`, AWAY);
    expect(tasks.begun).toHaveLength(before + 1);
    let isWoken = false;
    void turns.pause(1_000_000).then(() => (isWoken = true));
    await tasks.end(`${before}`, TAKEN);
    expect(isWoken).toBe(true);
    expect(tasks.begun).toHaveLength(20);
  });

  it('end, and those who wait are told why', async () => {
    const [turns, tasks] = [new GatewayTurns(), new Tasks()];
    for (let i = 0; i < 8; i++) void tasks.run(turns, `${i}`);
    const waiting = tasks.run(turns, 'waiting');
    const paused = turns.pause(1_000_000);
    expect(turns.isIdle).toBe(false);
    turns.end(new Error('over'));
    await expect(waiting).rejects.toThrow('over');
    await paused;
    await expect(tasks.run(turns, 'late')).rejects.toThrow('over');
  });
});
