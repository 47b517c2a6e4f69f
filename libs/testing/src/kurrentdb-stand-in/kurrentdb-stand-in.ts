import { randomUUID } from 'node:crypto';
import grpc from '@grpc/grpc-js';
import features from '@kurrent/kurrentdb-client/generated/kurrentdb/protocols/v1/serverfeatures_pb.js';
import featuresService from '@kurrent/kurrentdb-client/generated/kurrentdb/protocols/v1/serverfeatures_grpc_pb.js';
import streams from '@kurrent/kurrentdb-client/generated/kurrentdb/protocols/v1/streams_pb.js';
import streamsService from '@kurrent/kurrentdb-client/generated/kurrentdb/protocols/v1/streams_grpc_pb.js';
import { StandInLog, type ProposedEvent, type StandInEvent } from './stand-in-log.js';
import {
  batchAnswer,
  caughtUpMessage,
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
  /** Ends every subscription, as the server does with a consumer that is too slow. */
  dropSubscriptions(): void;
  /** Lets the next append happen, but loses its answer together with the connection. */
  loseNextAnswer(): void;
  close(): Promise<void>;
}

/** Live events that the server keeps for a subscriber that does not take them. */
const LIVE_BUFFER = 32;
const MAX_MESSAGE = 64 * 1024 * 1024;

/** Starts a stand-in on a free port of the loopback interface, or one that goes on with the log and port of another. */
export async function startKurrentStandIn(before?: KurrentStandIn): Promise<KurrentStandIn> {
  const log = before?.log ?? new StandInLog();
  const state: State = { log, subscriptions: new Set(), loseNextAnswer: false };
  // A server's log begins with events of its own.
  if (before === undefined) log.append('$$$settings', 'any', [systemEvent('$metadata')]);
  const server = new grpc.Server({
    'grpc.max_receive_message_length': MAX_MESSAGE,
    'grpc.max_send_message_length': MAX_MESSAGE,
  });
  server.addService(featuresService.ServerFeaturesService, { getSupportedMethods: answerFeatures });
  server.addService(streamsService.StreamsService, {
    read: (call: ReadCall) => read(state, call),
    batchAppend: (call: BatchCall) => batchAppend(state, call),
    append: unimplemented,
    delete: unimplemented,
    tombstone: unimplemented,
  });
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${before?.port ?? 0}`, grpc.ServerCredentials.createInsecure(), (error, actual) => {
      if (error) reject(error);
      else resolve(actual);
    });
  });
  return {
    url: `kurrentdb://127.0.0.1:${bound}?tls=false`,
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

interface State {
  readonly log: StandInLog;
  readonly subscriptions: Set<ReadCall>;
  loseNextAnswer: boolean;
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
    const name = nameIn(piece.options.getStreamIdentifier());
    const expected = expectedOf(piece.options, piece.options.getStreamPosition());
    const outcome = state.log.append(name, expected, piece.events);
    if (state.loseNextAnswer) {
      state.loseNextAnswer = false;
      call.emit('error', { code: grpc.status.UNAVAILABLE, details: 'connection lost' });
      return;
    }
    call.write(batchAnswer(request.getCorrelationId(), name, expected, outcome));
  });
  call.on('end', () => call.end());
}
type Options = NonNullable<ReturnType<InstanceType<typeof streams.BatchAppendReq>['getOptions']>>;

function read(state: State, call: ReadCall): void {
  const options = call.request.getOptions()!;
  if (options.hasSubscription()) subscribe(state, call);
  else void writeAll(call, options.hasStream() ? readStream(state.log, call) : readAll(state.log, call));
}

/** Writes messages as fast as the reader takes them. */
async function writeAll(call: ReadCall, messages: Iterable<InstanceType<typeof streams.ReadResp>>): Promise<void> {
  for (const message of messages) {
    if (call.cancelled) return;
    if (!call.write(message)) await drained(call);
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

function* readStream(log: StandInLog, call: ReadCall): Iterable<InstanceType<typeof streams.ReadResp>> {
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

function* readAll(log: StandInLog, call: ReadCall): Iterable<InstanceType<typeof streams.ReadResp>> {
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
): Iterable<InstanceType<typeof streams.ReadResp>> {
  const passes = filterOf(options);
  // As of now: what is appended while this is read is not read.
  const end = events.length;
  let left = BigInt(options.getCount());
  for (let at = start; left > 0n && at >= 0 && at < end; at += backwards ? -1 : 1) {
    const event = events[at]!;
    if (!passes(event)) continue;
    left--;
    yield eventMessage(event, options);
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
  let live = false;
  let blocked = false;
  const pump = () => {
    while (!blocked && at < log.events.length) {
      const event = log.events[at++]!;
      const message = passes(event) ? eventMessage(event, options) : checkpointMessage(event.position);
      blocked = !call.write(message);
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
  call.on('drain', () => {
    blocked = false;
    pump();
  });
  call.on('cancelled', stop).on('close', stop).on('error', stop);
  log.on('appended', pump);
  log.setMaxListeners(0);
  state.subscriptions.add(call);
  call.write(confirmationMessage(randomUUID()));
  pump();
}
