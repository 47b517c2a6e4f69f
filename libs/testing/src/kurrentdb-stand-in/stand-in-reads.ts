import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import grpc from '@grpc/grpc-js';
import streams from '@kurrent/kurrentdb-client/generated/kurrentdb/protocols/v1/streams_pb.js';
import type { StandInEvent, StandInLog } from './stand-in-log.js';
import {
  caughtUpMessage,
  checkpointIntervalOf,
  checkpointMessage,
  confirmationMessage,
  eventMessage,
  filterOf,
  nameIn,
  notFoundMessage,
} from './stand-in-messages.js';
import { isLeader, notLeader, type ReadCall, type StandInState } from './stand-in-state.js';

/** Live events that the server keeps for a subscriber that does not take them. */
const LIVE_BUFFER = 32;

/** Answers a reading or a subscription, as the faults of the moment will have it. */
export function read(state: StandInState, call: ReadCall): void {
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
function isSilentToReader({ readers, silentPeers, faults }: StandInState, peer: string): boolean {
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
  state: StandInState,
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
  const first = log.firstOf(name);
  const at = backwards ? Math.min(start, events.length - 1) : Math.max(start, first);
  yield* take(events, at, backwards, options, first);
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
  first = 0,
): Iterable<ReadMessage | typeof SEARCHED> {
  const passes = filterOf(options);
  // As of now: what is appended while this is read is not read.
  const end = events.length;
  let left = BigInt(options.getCount());
  for (let at = start; left > 0n && at >= first && at < end; at += backwards ? -1 : 1) {
    const event = events[at]!;
    if (passes(event)) {
      left--;
      yield eventMessage(event, options);
    } else yield SEARCHED;
  }
}

/** Ends a subscription, as the server does with a consumer that is too slow. */
export function tooSlow(call: ReadCall): void {
  call.emit('error', {
    code: grpc.status.ABORTED,
    details: 'Operation timed out: Consumer too slow to handle event while live. Client resubscription required.',
  });
}

/** Catches up at the pace of the reader, then delivers live; drops a reader that falls behind while live. */
function subscribe(state: StandInState, call: ReadCall): void {
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
