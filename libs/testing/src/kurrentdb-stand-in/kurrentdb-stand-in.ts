import { randomUUID } from 'node:crypto';
import grpc from '@grpc/grpc-js';
import gossip from '@kurrent/kurrentdb-client/generated/kurrentdb/protocols/v1/gossip_pb.js';
import gossipService from '@kurrent/kurrentdb-client/generated/kurrentdb/protocols/v1/gossip_grpc_pb.js';
import features from '@kurrent/kurrentdb-client/generated/kurrentdb/protocols/v1/serverfeatures_pb.js';
import featuresService from '@kurrent/kurrentdb-client/generated/kurrentdb/protocols/v1/serverfeatures_grpc_pb.js';
import streams from '@kurrent/kurrentdb-client/generated/kurrentdb/protocols/v1/streams_pb.js';
import streamsService from '@kurrent/kurrentdb-client/generated/kurrentdb/protocols/v1/streams_grpc_pb.js';
import { noFaults, type StandInFaults } from './stand-in-faults.js';
import { StandInLog, type ProposedEvent } from './stand-in-log.js';
import { batchAnswer, expectedOf, nameIn, proposedOf } from './stand-in-messages.js';
import { read, tooSlow } from './stand-in-reads.js';
import {
  type BatchCall,
  type ClusterState,
  isLeader,
  notLeader,
  type ReadCall,
  type StandInState,
} from './stand-in-state.js';

/** A stand-in for an EventStoreDB server, in memory, over real gRPC: what the client library is tested against. */
export interface KurrentStandIn {
  readonly url: string;
  readonly port: number;
  readonly log: StandInLog;
  readonly faults: StandInFaults;
  /** How often it was asked to read from within a record: a real server calls its files corrupt then. */
  readonly unknownPositions: number;
  /** How many events it has looked at in vain: those that a filter does not let through. */
  readonly searched: number;
  /** Answers "unavailable" for ever to the connections that have read so far; others may read. */
  deafenReaders(): void;
  /** Ends every subscription, as the server does with a consumer that is too slow. */
  dropSubscriptions(): void;
  /** Lets the next append happen, but loses its answer together with the connection. */
  loseNextAnswer(): void;
  close(): Promise<void>;
}

const MAX_MESSAGE = 64 * 1024 * 1024;

export interface StandInOptions {
  /** The log of a stand-in before it, and its port. */
  readonly log?: StandInLog;
  readonly port?: number;
  /** The most bytes of an append; as much as the server takes at most by default, which by its own default is 1 MB. */
  readonly maxAppendBytes?: number;
  readonly cluster?: ClusterState;
  /** Where others find it, if not on its own port. */
  readonly advertisedPort?: number;
  /** Speaks TLS with this certificate and key, in PEM. */
  readonly tls?: { readonly certificate: string; readonly key: string };
  /** Takes nobody else; else it asks nobody. */
  readonly login?: { readonly user: string; readonly password: string };
}

/** Starts a stand-in on a free port of the loopback interface, or one that goes on with the log and port of another. */
export async function startKurrentStandIn(before: StandInOptions = {}): Promise<KurrentStandIn> {
  const log = before.log ?? new StandInLog();
  if (before.maxAppendBytes !== undefined) log.maxAppendBytes = before.maxAppendBytes;
  const state: StandInState = {
    log,
    subscriptions: new Set(),
    loseNextAnswer: false,
    faults: noFaults(),
    readers: new Map(),
    silentPeers: new Set(),
    unknownPositions: 0,
    searched: 0,
    port: 0,
    cluster: before.cluster,
  };
  // A server's log begins with events of its own.
  if (log.events.length === 0) log.append('$$$settings', 'any', [systemEvent('$metadata')]);
  const server = new grpc.Server({
    'grpc.max_receive_message_length': MAX_MESSAGE,
    'grpc.max_send_message_length': MAX_MESSAGE,
  });
  server.addService(featuresService.ServerFeaturesService, { getSupportedMethods: answerFeatures });
  server.addService(gossipService.GossipService, {
    read: (_: unknown, callback: grpc.sendUnaryData<InstanceType<typeof gossip.ClusterInfo>>) =>
      answerGossip(state, callback),
  });
  server.addService(streamsService.StreamsService, {
    read: (call: ReadCall) => isAdmitted(before.login, state, call) && read(state, call),
    batchAppend: (call: BatchCall) => isAdmitted(before.login, state, call) && batchAppend(state, call),
    append: unimplemented,
    delete: unimplemented,
    tombstone: unimplemented,
  });
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${before.port ?? 0}`, credentialsOf(before), (error, actual) => {
      if (error) reject(error);
      else resolve(actual);
    });
  });
  state.port = before.advertisedPort ?? bound;
  return {
    faults: state.faults,
    get unknownPositions() {
      return state.unknownPositions;
    },
    get searched() {
      return state.searched;
    },
    deafenReaders: () => {
      for (const peer of state.readers.keys()) state.faults.deafPeers.add(peer);
    },
    url: `kurrentdb://127.0.0.1:${bound}?tls=${before.tls !== undefined}`,
    port: bound,
    log,
    dropSubscriptions: () => {
      for (const call of state.subscriptions) tooSlow(call);
    },
    loseNextAnswer: () => {
      state.loseNextAnswer = true;
    },
    close: async () => {
      server.forceShutdown();
    },
  };
}

function credentialsOf({ tls }: StandInOptions): grpc.ServerCredentials {
  if (tls === undefined) return grpc.ServerCredentials.createInsecure();
  const pair = { private_key: Buffer.from(tls.key), cert_chain: Buffer.from(tls.certificate) };
  return grpc.ServerCredentials.createSsl(null, [pair]);
}

/** Whether a call shows the right password. One that shows a wrong one or none is ended, each as the server does. */
function isAdmitted(login: StandInOptions['login'], { faults }: StandInState, call: ReadCall | BatchCall): boolean {
  if (login === undefined && !faults.refusesAll) return true;
  const shown = call.metadata.get('authorization')[0]?.toString();
  if (
    login !== undefined &&
    !faults.refusesAll &&
    shown === `Basic ${Buffer.from(`${login.user}:${login.password}`).toString('base64')}`
  )
    return true;
  const metadata = new grpc.Metadata();
  if (shown === undefined) metadata.set('exception', 'access-denied');
  const code = shown === undefined ? grpc.status.PERMISSION_DENIED : grpc.status.UNAUTHENTICATED;
  call.emit('error', { code, details: shown === undefined ? 'Access Denied' : 'Unauthenticated', metadata });
  return false;
}

function answerGossip(
  state: StandInState,
  callback: grpc.sendUnaryData<InstanceType<typeof gossip.ClusterInfo>>,
): void {
  const { LEADER, FOLLOWER } = gossip.MemberInfo.VNodeState;
  const members = (state.cluster?.nodes ?? [{ port: state.port, isAlive: true }]).map(({ port, isAlive }) =>
    new gossip.MemberInfo()
      .setState(state.cluster === undefined || port === state.cluster.leader ? LEADER : FOLLOWER)
      .setIsAlive(isAlive)
      .setHttpEndPoint(new gossip.EndPoint().setAddress('127.0.0.1').setPort(port)),
  );
  callback(null, new gossip.ClusterInfo().setMembersList(members));
}

/** An event as the server writes for itself between those of its users. */
export function systemEvent(type: string): ProposedEvent {
  const metadata = new Map([
    ['type', type],
    ['content-type', 'application/json'],
  ]);
  return { id: randomUUID(), metadata, data: Buffer.from('{}'), customMetadata: new Uint8Array() };
}

function unimplemented(_: unknown, callback: grpc.sendUnaryData<never>): void {
  callback({ code: grpc.status.UNIMPLEMENTED, details: 'not in the stand-in' });
}

function answerFeatures(
  _: unknown,
  callback: grpc.sendUnaryData<InstanceType<typeof features.SupportedMethods>>,
): void {
  const answer = new features.SupportedMethods().setEventStoreServerVersion('23.10.8.0');
  for (const name of ['read', 'append', 'batchappend', 'delete', 'tombstone']) {
    const method = new features.SupportedMethod().setServiceName('event_store.client.streams.streams');
    answer.addMethods(method.setMethodName(name));
  }
  callback(null, answer);
}

function batchAppend(state: StandInState, call: BatchCall): void {
  const pieces = new Map<string, { options: Options; events: ProposedEvent[] }>();
  call.on('data', (request: InstanceType<typeof streams.BatchAppendReq>) => {
    const id = request.getCorrelationId()?.getString() ?? '';
    const options = request.getOptions();
    const piece = pieces.get(id) ?? { options: options!, events: [] };
    pieces.set(id, piece);
    piece.events.push(...request.getProposedMessagesList().map(proposedOf));
    if (!request.getIsFinal()) return;
    pieces.delete(id);
    if (!isLeader(state)) {
      call.emit('error', notLeader(state));
      return;
    }
    const name = nameIn(piece.options.getStreamIdentifier());
    const expected = expectedOf(piece.options, piece.options.getStreamPosition());
    const outcome = state.log.append(name, expected, piece.events);
    if (state.loseNextAnswer) {
      state.loseNextAnswer = false;
      call.emit('error', { code: grpc.status.UNAVAILABLE, details: 'connection lost' });
      return;
    }
    if (state.faults.unansweredAppends > 0) {
      state.faults.unansweredAppends--;
      return;
    }
    const answer = batchAnswer(request.getCorrelationId(), name, expected, outcome);
    if (state.faults.answerAfterMs === 0) call.write(answer);
    else setTimeout(() => call.writable && call.write(answer), state.faults.answerAfterMs);
  });
  call.on('end', () => call.end());
}
type Options = NonNullable<ReturnType<InstanceType<typeof streams.BatchAppendReq>['getOptions']>>;
