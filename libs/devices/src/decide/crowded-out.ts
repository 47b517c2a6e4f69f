/** A message that waits, as far as it is looked at to see which have to go. */
export interface WaitingMessage {
  /** Who sent it, with whichever device. */
  readonly sender: string;
  readonly bytes: number;
}

export interface InboxBounds {
  readonly number: number;
  readonly size: number;
}

/** Which messages go because they are too many, and which of the others because they are too large together. */
export interface CrowdedOut<M> {
  readonly number: readonly M[];
  readonly size: readonly M[];
}

/**
 * The messages of an inbox, the oldest first, that have to go: one after the other the oldest of that sender who has most there. So
 * whoever fills an inbox takes no place of those who have less in it.
 */
export function crowdedOut<M extends WaitingMessage>(messages: readonly M[], most: InboxBounds): CrowdedOut<M> {
  const number = inExcess(messages, () => 1, most.number);
  const gone = new Set(number);
  const left = gone.size === 0 ? messages : messages.filter((message) => !gone.has(message));
  return { number, size: inExcess(left, ({ bytes }) => bytes, most.size) };
}

/**
 * A message goes while its sender has most, which is as much as it and all newer ones of the sender are together: so those go first of
 * which that is most, and of equals the older one.
 */
function inExcess<M extends WaitingMessage>(messages: readonly M[], weigh: (message: M) => number, most: number): M[] {
  let excess = -most;
  for (const message of messages) excess += weigh(message);
  if (!(excess > 0)) return [];
  const ofSender = new Map<string, number>();
  const ranked: { readonly message: M; readonly held: number; readonly place: number }[] = [];
  for (let place = messages.length - 1; place >= 0; place--) {
    const message = messages[place]!;
    const held = (ofSender.get(message.sender) ?? 0) + weigh(message);
    ofSender.set(message.sender, held);
    ranked.push({ message, held, place });
  }
  ranked.sort((a, b) => b.held - a.held || a.place - b.place);
  const gone: M[] = [];
  for (const { message } of ranked) {
    if (excess <= 0) break;
    gone.push(message);
    excess -= weigh(message);
  }
  return gone;
}
