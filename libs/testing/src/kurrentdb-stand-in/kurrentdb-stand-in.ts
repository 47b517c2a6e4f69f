import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import grpc from '@grpc/grpc-js';
import gossip from '@kurrent/kurrentdb-client/generated/kurrentdb/protocols/v1/gossip_pb.js';
import gossipService from '@kurrent/kurrentdb-client/generated/kurrentdb/protocols/v1/gossip_grpc_pb.js';
import features from '@kurrent/kurrentdb-client/generated/kurrentdb/protocols/v1/serverfeatures_pb.js';
import featuresService from '@kurrent/kurrentdb-client/generated/kurrentdb/protocols/v1/serverfeatures_grpc_pb.js';
import streams from '@kurrent/kurrentdb-client/generated/kurrentdb/protocols/v1/streams_pb.js';
import streamsService from '@kurrent/kurrentdb-client/generated/kurrentdb/protocols/v1/streams_grpc_pb.js';
import type { ClusterState } from './stand-in-cluster.js';
import { noFaults, type StandInFaults } from './stand-in-faults.js';
import { StandInLog, type ProposedEvent, type StandInEvent } from './stand-in-log.js';
import {
  batchAnswer,
  caughtUpMessage,
  checkpointIntervalOf,
  checkpointMessage,
  confirmationMessage,
  eventMessage,
  expectedOf,
  filterOf,
  nameIn,
  notFoundMessage,
  proposedOf,
} from './stand-in-messages.js';

type ReadCall = grpc.ServerWritableStream<InstanceType<typeof streams.ReadReq>, InstanceType<typeof streams.ReadResp>>;
type BatchCall = grpc.ServerDuplexStream<
  InstanceType<typeof streams.BatchAppendReq>,
  InstanceType<typeof streams.BatchAppendResp>
>;

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

/** Live events that the server keeps for a subscriber that does not take them. */
const LIVE_BUFFER = 32;
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
  const state: State = {
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
    read: (call: ReadCall) => isAdmitted(before.login, call) && read(state, call),
    batchAppend: (call: BatchCall) => isAdmitted(before.login, call) && batchAppend(state, call),
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
function isAdmitted(login: StandInOptions['login'], call: ReadCall | BatchCall): boolean {
  if (login === undefined) return true;
  const shown = call.metadata.get('authorization')[0]?.toString();
  if (shown === `Basic ${Buffer.from(`${login.user}:${login.password}`).toString('base64')}`) return true;
  const metadata = new grpc.Metadata();
  if (shown === undefined) metadata.set('exception', 'access-denied');
  const code = shown === undefined ? grpc.status.PERMISSION_DENIED : grpc.status.UNAUTHENTICATED;
  call.emit('error', { code, details: shown === undefined ? 'Access Denied' : 'Unauthenticated', metadata });
  return false;
}

interface State {
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

function answerGossip(state: State, callback: grpc.sendUnaryData<InstanceType<typeof gossip.ClusterInfo>>): void {
  const { LEADER, FOLLOWER } = gossip.MemberInfo.VNodeState;
  const members = (state.cluster?.nodes ?? [{ port: state.port, isAlive: true }]).map(({ port, isAlive }) =>
    new gossip.MemberInfo()
      .setState(state.cluster === undefined || port === state.cluster.leader ? LEADER : FOLLOWER)
      .setIsAlive(isAlive)
      .setHttpEndPoint(new gossip.EndPoint().setAddress('127.0.0.1').setPort(port)),
  );
  callback(null, new gossip.ClusterInfo().setMembersList(members));
}

function isLeader({ cluster, port }: State): boolean {
  return cluster === undefined || cluster.leader === port;
}

/** What a node that does not lead answers to an append, and to a reading that asks for the leader. */
function notLeader({ cluster }: State): object {
  const metadata = new grpc.Metadata();
  if (cluster?.leader === undefined) return { code: grpc.status.UNAVAILABLE, details: 'Server Is Not Ready' };
  metadata.set('exception', 'not-leader');
  metadata.set('leader-endpoint-host', '127.0.0.1');
  metadata.set('leader-endpoint-port', String(cluster.leader));
  return { code: grpc.status.NOT_FOUND, details: 'Leader info available', metadata };
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

function batchAppend(state: State, call: BatchCall): void {
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

function read(state: State, call: ReadCall): void {
  const options = call.request.getOptions()!;
  const { faults } = state;
  const isSubscription = options.hasSubscription();
  if (isSubscription ? faults.silentSubscriptions : isSilentToReader(state, call.getPeer())) return;
  if (!isSubscription && faults.deafPeers.has(call.getPeer())) {
    call.emit('error', { code: grpc.status.UNAVAILABLE, details: 'this connection is dead' });
    return;
  }
  if (call.metadata.get('requires-leader')[0] === 'true' && !isLeader(state)) {
    call.emit('error', notLeader(state));
    return;
  }
  const position = options.getAll()?.getPosition();
  if (position !== undefined && !state.log.hasPosition(Number(position.getCommitPosition()))) {
    state.unknownPositions++;
    const details = 'There is not enough space to read full record. Something is seriously wrong in chunk';
    call.emit('error', { code: grpc.status.UNAVAILABLE, details });
    return;
  }
  if (isSubscription) subscribe(state, call);
  else void writeAll(state, call, options.hasStream() ? readStream(state.log, call) : readAll(state.log, call));
}

/** Counts a reading of a connection, and tells whether it gets no message. */
function isSilentToReader({ readers, silentPeers, faults }: State, peer: string): boolean {
  const before = readers.get(peer) ?? 0;
  readers.set(peer, before + 1);
  if (before >= faults.readingsUntilSilent && faults.connectionsToSilence > 0 && !silentPeers.has(peer)) {
    silentPeers.add(peer);
    faults.connectionsToSilence--;
  }
  return faults.silentReads || silentPeers.has(peer);
}

type ReadMessage = InstanceType<typeof streams.ReadResp>;
/** Stands for an event that the reader's filter does not let through. */
const SEARCHED = Symbol('searched');
const SEARCH_UNIT = 100;

/** Writes messages as fast as the reader takes them. */
async function writeAll(
  state: State,
  call: ReadCall,
  messages: Iterable<ReadMessage | typeof SEARCHED>,
): Promise<void> {
  let inVain = 0;
  for (const message of messages) {
    if (call.cancelled) return;
    if (message === SEARCHED) {
      state.searched++;
      const { searchPauseMs } = state.faults;
      if (++inVain % SEARCH_UNIT === 0 && searchPauseMs > 0) await delay(searchPauseMs);
    } else if (!call.write(message)) await drained(call);
  }
  call.end();
}

function drained(call: ReadCall): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      call.off('drain', done).off('cancelled', done);
      resolve();
    };
    call.on('drain', done).on('cancelled', done);
  });
}

function* readStream(log: StandInLog, call: ReadCall): Iterable<ReadMessage | typeof SEARCHED> {
  const options = call.request.getOptions()!;
  const wanted = options.getStream()!;
  const name = nameIn(wanted.getStreamIdentifier());
  const events = log.stream(name);
  if (events === undefined) {
    yield notFoundMessage(name);
    return;
  }
  const backwards = options.getReadDirection() === streams.ReadReq.Options.ReadDirection.BACKWARDS;
  const start = wanted.hasStart() ? 0 : wanted.hasEnd() ? events.length - 1 : Number(wanted.getRevision());
  yield* take(events, backwards ? Math.min(start, events.length - 1) : start, backwards, options);
}

function* readAll(log: StandInLog, call: ReadCall): Iterable<ReadMessage | typeof SEARCHED> {
  const options = call.request.getOptions()!;
  const wanted = options.getAll()!;
  const backwards = options.getReadDirection() === streams.ReadReq.Options.ReadDirection.BACKWARDS;
  const position = Number(wanted.getPosition()?.getCommitPosition() ?? 0);
  // Forwards the position is counted in, backwards it is not.
  const at = wanted.hasStart() ? 0 : wanted.hasEnd() ? log.events.length : log.indexOf(position);
  yield* take(log.events, backwards ? at - 1 : at, backwards, options);
}

function* take(
  events: readonly StandInEvent[],
  start: number,
  backwards: boolean,
  options: InstanceType<typeof streams.ReadReq.Options>,
): Iterable<ReadMessage | typeof SEARCHED> {
  const passes = filterOf(options);
  // As of now: what is appended while this is read is not read.
  const end = events.length;
  let left = BigInt(options.getCount());
  for (let at = start; left > 0n && at >= 0 && at < end; at += backwards ? -1 : 1) {
    const event = events[at]!;
    if (passes(event)) {
      left--;
      yield eventMessage(event, options);
    } else yield SEARCHED;
  }
}

function tooSlow(call: ReadCall): void {
  call.emit('error', {
    code: grpc.status.ABORTED,
    details: 'Operation timed out: Consumer too slow to handle event while live. Client resubscription required.',
  });
}

/** Catches up at the pace of the reader, then delivers live; drops a reader that falls behind while live. */
function subscribe(state: State, call: ReadCall): void {
  const { log } = state;
  const options = call.request.getOptions()!;
  const wanted = options.getAll()!;
  const passes = filterOf(options);
  // Exclusive, unlike reading.
  let at = wanted.hasStart() ? 0 : log.events.length;
  const position = wanted.getPosition();
  if (position !== undefined) at = log.indexOf(Number(position.getCommitPosition()) + 1);
  const interval = checkpointIntervalOf(options);
  let inVain = 0;
  let live = false;
  let blocked = false;
  const search = (event: StandInEvent) => {
    state.searched++;
    inVain++;
    if (inVain % interval === 0) blocked = !call.write(checkpointMessage(event.position));
    const { searchPauseMs } = state.faults;
    if (live || blocked || inVain % SEARCH_UNIT > 0 || searchPauseMs === 0) return;
    blocked = true;
    setTimeout(goOn, searchPauseMs);
  };
  const pump = () => {
    if (state.faults.silentSubscriptions) return;
    while (!blocked && at < log.events.length) {
      const event = log.events[at++]!;
      if (passes(event)) blocked = !call.write(eventMessage(event, options));
      else search(event);
    }
    if (!blocked && !live) {
      live = true;
      call.write(caughtUpMessage());
    }
    if (live && log.events.length - at > LIVE_BUFFER) tooSlow(call);
  };
  const stop = () => {
    log.off('appended', pump);
    state.subscriptions.delete(call);
  };
  const goOn = () => {
    blocked = false;
    if (call.writable && !call.cancelled) pump();
  };
  call.on('drain', goOn);
  call.on('cancelled', stop).on('close', stop).on('error', stop);
  log.on('appended', pump);
  log.setMaxListeners(0);
  state.subscriptions.add(call);
  call.write(confirmationMessage(randomUUID()));
  pump();
}
