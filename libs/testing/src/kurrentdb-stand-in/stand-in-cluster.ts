import { setTimeout as delay } from 'node:timers/promises';
import { type KurrentStandIn, startKurrentStandIn } from './kurrentdb-stand-in.js';
import { StandInLog } from './stand-in-log.js';

/** What the nodes tell of each other. */
export interface ClusterState {
  readonly nodes: { readonly port: number; isAlive: boolean }[];
  /** undefined while there is an election. */
  leader: number | undefined;
}

export interface KurrentCluster {
  readonly url: string;
  readonly log: StandInLog;
  /** Ends the leader's process; another one leads after a time. */
  killLeader(electionMs: number): Promise<void>;
  /** The leader stands still with all its connections open; another one leads after a time. */
  freezeLeader(electionMs: number): Promise<void>;
  close(): Promise<void>;
}

/** Three nodes with one log. Only the leader takes appends; the others name it. */
export async function startKurrentCluster(): Promise<KurrentCluster> {
  const log = new StandInLog();
  const state: ClusterState = { nodes: [], leader: undefined };
  const nodes: KurrentStandIn[] = [];
  for (let i = 0; i < 3; i++) {
    const node = await startKurrentStandIn({ log, cluster: state });
    nodes.push(node);
    state.nodes.push({ port: node.port, isAlive: true });
  }
  state.leader = nodes[0]!.port;
  const losing = async (electionMs: number, lose: (node: KurrentStandIn) => Promise<void> | void): Promise<void> => {
    const lost = nodes.find(({ port }) => port === state.leader)!;
    state.nodes.find(({ port }) => port === lost.port)!.isAlive = false;
    state.leader = undefined;
    await lose(lost);
    await delay(electionMs);
    state.leader = state.nodes.find(({ isAlive }) => isAlive)!.port;
  };
  return {
    url: `kurrentdb://${nodes.map(({ port }) => `127.0.0.1:${port}`).join()}?tls=false`,
    log,
    killLeader: (electionMs) => losing(electionMs, (node) => node.close()),
    freezeLeader: (electionMs) =>
      losing(electionMs, (node) => {
        node.faults.silentReads = true;
        node.faults.silentSubscriptions = true;
        node.freeze();
      }),
    close: async () => {
      for (const node of nodes) await node.close();
    },
  };
}
