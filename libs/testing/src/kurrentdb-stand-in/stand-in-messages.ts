import anyMessage from 'google-protobuf/google/protobuf/any_pb.js';
import protobufEmpty from 'google-protobuf/google/protobuf/empty_pb.js';
import shared from '@kurrent/kurrentdb-client/generated/kurrentdb/protocols/v1/shared_pb.js';
import status from '@kurrent/kurrentdb-client/generated/kurrentdb/protocols/v1/status_pb.js';
import streams from '@kurrent/kurrentdb-client/generated/kurrentdb/protocols/v1/streams_pb.js';
import type { AppendOutcome, ExpectedState, ProposedEvent, StandInEvent } from './stand-in-log.js';

type ReadOptions = InstanceType<typeof streams.ReadReq.Options>;
type Identifier = InstanceType<typeof shared.StreamIdentifier>;

export function nameIn(identifier: Identifier | undefined): string {
  return Buffer.from(identifier?.getStreamName_asU8() ?? []).toString('utf8');
}

function identifierOf(name: string): Identifier {
  return new shared.StreamIdentifier().setStreamName(Buffer.from(name));
}

/** One event as a message, with its id in the form the reader asked for. */
export function eventMessage(event: StandInEvent, options: ReadOptions): InstanceType<typeof streams.ReadResp> {
  const id = new shared.UUID();
  if (options.getUuidOption()?.hasStructured()) {
    const bits = BigInt(`0x${event.id.replaceAll('-', '')}`);
    const structured = new shared.UUID.Structured();
    structured.setMostSignificantBits(BigInt.asIntN(64, bits >> 64n).toString());
    structured.setLeastSignificantBits(BigInt.asIntN(64, bits).toString());
    id.setStructured(structured);
  } else {
    id.setString(event.id);
  }
  const position = String(event.position);
  const recorded = new streams.ReadResp.ReadEvent.RecordedEvent()
    .setId(id)
    .setStreamIdentifier(identifierOf(event.stream))
    .setStreamRevision(String(event.revision))
    .setCommitPosition(position)
    .setPreparePosition(position)
    .setData(event.data)
    .setCustomMetadata(event.customMetadata);
  for (const [key, value] of event.metadata) recorded.getMetadataMap().set(key, value);
  // Ticks of 100 nanoseconds.
  recorded.getMetadataMap().set('created', '17000000000000000');
  return new streams.ReadResp().setEvent(
    new streams.ReadResp.ReadEvent().setEvent(recorded).setCommitPosition(position),
  );
}

export function notFoundMessage(name: string): InstanceType<typeof streams.ReadResp> {
  const notFound = new streams.ReadResp.StreamNotFound().setStreamIdentifier(identifierOf(name));
  return new streams.ReadResp().setStreamNotFound(notFound);
}

export function confirmationMessage(id: string): InstanceType<typeof streams.ReadResp> {
  return new streams.ReadResp().setConfirmation(new streams.ReadResp.SubscriptionConfirmation().setSubscriptionId(id));
}

export function caughtUpMessage(): InstanceType<typeof streams.ReadResp> {
  return new streams.ReadResp().setCaughtUp(new streams.ReadResp.CaughtUp());
}

export function checkpointMessage(position: number): InstanceType<typeof streams.ReadResp> {
  const checkpoint = new streams.ReadResp.Checkpoint();
  checkpoint.setCommitPosition(String(position)).setPreparePosition(String(position));
  return new streams.ReadResp().setCheckpoint(checkpoint);
}

/** A predicate for the events a reader asked for. */
export function filterOf(options: ReadOptions): (event: StandInEvent) => boolean {
  const filter = options.getFilter();
  if (filter === undefined) return () => true;
  const byStream = filter.getStreamIdentifier();
  const expression = byStream ?? filter.getEventType();
  const prefixes = expression?.getPrefixList() ?? [];
  const regex = expression?.getRegex();
  const pattern = regex ? new RegExp(regex, 'u') : undefined;
  return (event) => {
    const text = byStream ? event.stream : (event.metadata.get('type') ?? '');
    return pattern ? pattern.test(text) : prefixes.some((prefix) => text.startsWith(prefix));
  };
}

/** What a server searches at once that is not told how much. */
const SEARCH_WINDOW = 32;

/** After how many events that a filter does not let through a subscriber is told how far the search has come. */
export function checkpointIntervalOf(options: ReadOptions): number {
  const filter = options.getFilter();
  if (filter === undefined) return Infinity;
  const window = filter.hasMax() ? filter.getMax() : SEARCH_WINDOW;
  return window * filter.getCheckpointintervalmultiplier();
}

/** The parts of an append that both calls for it share. */
interface ProposedMessage {
  getId(): InstanceType<typeof shared.UUID> | undefined;
  getMetadataMap(): { forEach(each: (value: string, key: string) => void): void };
  getData_asU8(): Uint8Array;
  getCustomMetadata_asU8(): Uint8Array;
}

export function proposedOf(message: ProposedMessage): ProposedEvent {
  const metadata = new Map<string, string>();
  message.getMetadataMap().forEach((value, key) => metadata.set(key, value));
  return {
    id: message.getId()?.getString() ?? '',
    metadata,
    data: message.getData_asU8(),
    customMetadata: message.getCustomMetadata_asU8(),
  };
}

interface ExpectedOptions {
  hasNoStream(): boolean;
  hasAny(): boolean;
  hasStreamExists(): boolean;
}

export function expectedOf(options: ExpectedOptions, revision: string): ExpectedState {
  if (options.hasNoStream()) return 'no-stream';
  if (options.hasAny()) return 'any';
  return options.hasStreamExists() ? 'exists' : Number(revision);
}

/** The answer to one append of a batch. */
export function batchAnswer(
  correlation: InstanceType<typeof shared.UUID> | undefined,
  name: string,
  expected: ExpectedState,
  outcome: AppendOutcome,
): InstanceType<typeof streams.BatchAppendResp> {
  const answer = new streams.BatchAppendResp().setCorrelationId(correlation).setStreamIdentifier(identifierOf(name));
  if (outcome.kind !== 'appended') return answer.setError(refusal(expected, outcome));
  const position = new shared.AllStreamPosition();
  position.setCommitPosition(String(outcome.position)).setPreparePosition(String(outcome.position));
  const success = new streams.BatchAppendResp.Success().setCurrentRevision(String(outcome.revision));
  return answer.setSuccess(success.setPosition(position));
}

function refusal(
  expected: ExpectedState,
  outcome: Exclude<AppendOutcome, { kind: 'appended' }>,
): InstanceType<typeof status.Status> {
  const details = new anyMessage.Any();
  if (outcome.kind === 'too-large') {
    const exceeded = new shared.MaximumAppendSizeExceeded().setMaxappendsize(outcome.limit);
    details.pack(exceeded.serializeBinary(), 'event_store.client.MaximumAppendSizeExceeded');
  } else {
    const wrong = new shared.WrongExpectedVersion();
    if (outcome.actual === undefined) wrong.setCurrentNoStream(new protobufEmpty.Empty());
    else wrong.setCurrentStreamRevision(String(outcome.actual));
    if (expected === 'no-stream') wrong.setExpectedNoStream(new protobufEmpty.Empty());
    else wrong.setExpectedStreamPosition(String(expected));
    details.pack(wrong.serializeBinary(), 'event_store.client.WrongExpectedVersion');
  }
  return new status.Status().setMessage('refused').setDetails(details);
}
