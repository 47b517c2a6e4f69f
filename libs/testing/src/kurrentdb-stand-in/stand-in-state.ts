import grpc from '@grpc/grpc-js';
import type streams from '@kurrent/kurrentdb-client/generated/kurrentdb/protocols/v1/streams_pb.js';
import type { StandInFaults } from './stand-in-faults.js';
import type { StandInLog } from './stand-in-log.js';

export type ReadCall = grpc.ServerWritableStream<
  InstanceType<typeof streams.ReadReq>,
  InstanceType<typeof streams.ReadResp>
>;
export type BatchCall = grpc.ServerDuplexStream<
  InstanceType<typeof streams.BatchAppendReq>,
  InstanceType<typeof streams.BatchAppendResp>
>;

/** What the nodes tell of each other. */
export interface ClusterState {
  readonly nodes: { readonly port: number; isAlive: boolean }[];
  /** The node that appends, or that the others still believe to; undefined while there is an election. */
  leader: number | undefined;
}

/** What a stand-in is while it runs. */
export interface StandInState {
  readonly log: StandInLog;
  readonly subscriptions: Set<ReadCall>;
  loseNextAnswer: boolean;
  readonly faults: StandInFaults;
  /** The connections that have read, and how often. */
  readonly readers: Map<string, number>;
  /** The connections that have fallen silent. */
  readonly silentPeers: Set<string>;
  unknownPositions: number;
  searched: number;
  port: number;
  readonly cluster: ClusterState | undefined;
}

/** Whether it leads its cluster; alone it always does. */
export function isLeader({ cluster, port }: StandInState): boolean {
  return cluster === undefined || cluster.leader === port;
}

/** What a node that does not lead answers to an append, and to a reading that asks for the leader. */
export function notLeader({ cluster }: StandInState): object {
  const metadata = new grpc.Metadata();
  if (cluster?.leader === undefined) return { code: grpc.status.UNAVAILABLE, details: 'Server Is Not Ready' };
  metadata.set('exception', 'not-leader');
  metadata.set('leader-endpoint-host', '127.0.0.1');
  metadata.set('leader-endpoint-port', String(cluster.leader));
  return { code: grpc.status.NOT_FOUND, details: 'Leader info available', metadata };
}
