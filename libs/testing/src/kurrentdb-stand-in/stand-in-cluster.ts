import { setTimeout as delay } from 'node:timers/promises';
import { type KurrentStandIn, startKurrentStandIn } from './kurrentdb-stand-in.js';
import { StandInGate } from './stand-in-gate.js';
import { StandInLog } from './stand-in-log.js';
import type { ClusterState } from './stand-in-state.js';

export interface KurrentCluster {
  readonly url: string;
  readonly log: StandInLog;
  readonly nodes: readonly KurrentStandIn[];
  /** Ends the leader's process; another one leads after a time, and until half of it has gone the others know of nothing. */
  killLeader(electionMs: number): Promise<void>;
  /** The leader stands still with all its connections open, as a process that is stopped; else as `killLeader`. */
  freezeLeader(electionMs: number): Promise<void>;
  /** The leader gives up leading, as an operator may tell it to, and follows: nothing else is changed, nobody is disconnected. */
  resignLeader(): void;
  /** What was lost goes on, and follows. */
  revive(): Promise<void>;
  close(): Promise<void>;
}

export interface ClusterOptions {
  readonly maxAppendBytes?: number;
}

interface Node {
  readonly gate: StandInGate;
  readonly server: KurrentStandIn;
  lost: 'killed' | 'frozen' | undefined;
}

/** Three nodes with one log. Only the leader takes appends; the others name it. */
export async function startKurrentCluster({ maxAppendBytes }: ClusterOptions = {}): Promise<KurrentCluster> {
  const log = new StandInLog();
  if (maxAppendBytes !== undefined) log.maxAppendBytes = maxAppendBytes;
  const state: ClusterState = { nodes: [], leader: undefined };
  const nodes: Node[] = [];
  for (let i = 0; i < 3; i++) {
    const gate = new StandInGate(() => server.port);
    await gate.open();
    const server = await startKurrentStandIn({ log, cluster: state, advertisedPort: gate.port });
    nodes.push({ gate, server, lost: undefined });
    state.nodes.push({ port: gate.port, isAlive: true });
  }
  state.leader = nodes[0]!.gate.port;
  const losing = async (electionMs: number, how: 'killed' | 'frozen'): Promise<void> => {
    const lost = nodes.find(({ gate }) => gate.port === state.leader)!;
    lost.lost = how;
    if (how === 'killed') await lost.gate.close();
    else lost.gate.freeze();
    await delay(electionMs / 2);
    state.nodes.find(({ port }) => port === lost.gate.port)!.isAlive = false;
    state.leader = undefined;
    await delay(electionMs / 2);
    state.leader = nodes.find((node) => node.lost === undefined)!.gate.port;
  };
  return {
    url: `kurrentdb://${nodes.map(({ gate }) => `127.0.0.1:${gate.port}`).join()}?tls=false`,
    log,
    nodes: nodes.map(({ server }) => server),
    killLeader: (electionMs) => losing(electionMs, 'killed'),
    freezeLeader: (electionMs) => losing(electionMs, 'frozen'),
    resignLeader: () => {
      state.leader = nodes.find(({ gate, lost }) => gate.port !== state.leader && lost === undefined)!.gate.port;
    },
    revive: async () => {
      for (const node of nodes) {
        if (node.lost === 'killed') await node.gate.open();
        if (node.lost === 'frozen') node.gate.thaw();
        node.lost = undefined;
      }
      for (const node of state.nodes) node.isAlive = true;
    },
    close: async () => {
      for (const { gate, server } of nodes) {
        await gate.close();
        await server.close();
      }
    },
  };
}
