import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WebSocket } from 'undici';
import { vi } from 'vitest';
import { FakeLiveKit } from '#testing/fake-livekit';
import { freePort } from '#testing/free-port';

/** The program of LiveKit (`.ci/servers.sh livekit`), where there is one. */
export const LIVEKIT = process.env['SERVER_LIVEKIT'];

/** What carries calls, with who is in them. */
export interface Carrier {
  readonly url: string;
  /** What a homeserver is told of it. */
  readonly settings: Readonly<Record<string, string>>;
  /** Whether it would let in the bearer of a token. */
  wouldLetIn(token: string): Promise<boolean>;
  enter(token: string): Promise<void>;
  /** Who has entered with the token goes. */
  leave(token: string): Promise<void>;
  /** Whether who entered with the token is still there. */
  isIn(token: string): boolean;
  stop(): Promise<void>;
}

/** Starts a stand-in, which tells `listener` who goes. */
export async function startFake(listener: string): Promise<Carrier> {
  const livekit = await FakeLiveKit.start();
  return {
    url: livekit.url,
    settings: livekit.settings,
    wouldLetIn: async (token) => livekit.rooms.has(String(livekit.read(token).video['room'])),
    enter: async (token) => void (await fetch(listener, livekit.letIn(token))),
    leave: async (token) => void (await fetch(listener, livekit.putOut(token))),
    isIn: (token) => livekit.has(token),
    stop: () => livekit.stop(),
  };
}

const KEY = 'annals';
const SECRET = 'a secret that is longer than thirty-two characters';

/** LiveKit itself in a process of its own, on loopback, which makes no rooms by itself and tells `listener` who goes. */
export async function startLiveKit(listener: string): Promise<Carrier> {
  const directory = mkdtempSync(join(tmpdir(), 'livekit-'));
  const [port, tcp, udp] = [await freePort(), await freePort(), await freePort()];
  const settings = {
    port,
    bind_addresses: ['127.0.0.1'],
    rtc: { tcp_port: tcp, udp_port: udp, node_ip: '127.0.0.1', use_external_ip: false },
    room: { auto_create: false },
    keys: { [KEY]: SECRET },
    webhook: { api_key: KEY, urls: [listener] },
    logging: { level: 'warn' },
  };
  const file = join(directory, 'livekit.yaml');
  writeFileSync(file, JSON.stringify(settings));
  const child: ChildProcess = spawn(LIVEKIT ?? 'livekit-server', ['--config', file], { stdio: 'ignore' });
  const base = `http://127.0.0.1:${port}`;
  await vi.waitUntil(() => fetch(base).then(({ ok }) => ok, () => false), { timeout: 60_000 }); // prettier-ignore
  const inside = new Map<string, WebSocket>();
  return {
    url: `ws://127.0.0.1:${port}`,
    settings: {
      ANNALS_LIVEKIT_URL: `ws://127.0.0.1:${port}`,
      ANNALS_LIVEKIT_KEY: KEY,
      ANNALS_LIVEKIT_SECRET: SECRET,
    },
    wouldLetIn: async (token) => (await fetch(`${base}/rtc/validate?access_token=${token}`)).ok,
    async enter(token) {
      const socket = new WebSocket(`ws://127.0.0.1:${port}/rtc?access_token=${token}&protocol=15&auto_subscribe=1`);
      inside.set(token, socket);
      await once(socket, 'message');
    },
    leave: async (token) => inside.get(token)?.close(),
    isIn: (token) => inside.get(token)?.readyState === WebSocket.OPEN,
    async stop() {
      for (const socket of inside.values()) socket.close();
      child.kill('SIGKILL');
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
