import { Injectable } from '@nestjs/common';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';
import type { RoomConfig, SlidingRequest } from './sliding-request.js';
import { WantedState } from './wanted-state.js';

const STATES = 10_000;
/** Of their texts, in characters: some 40 MB at the most. */
const ALL_TEXTS = 4_000_000;

/**
 * What of rooms' states is wanted, each once. PERF: each connection of a client wants the same with each request, and was told it with
 * each room: all of them hold one object while they wait.
 */
@Injectable()
export class WantedStates {
  readonly #known = new LruCache<string, WantedState>(STATES, {
    most: ALL_TEXTS,
    weigh: ({ text }) => text.length + 1,
  });

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#known.numbers;
  }

  /** What a text says that `WantedState.text` was. */
  readonly parse = (text: string): WantedState => this.#known.get(text) ?? this.#keep(WantedState.parse(text));

  /** The same request, which shares what it wants with others. */
  share(request: SlidingRequest): SlidingRequest {
    const share = <T extends RoomConfig>(config: T): T =>
      Object.assign({}, config, { state: this.#share(config.state) });
    return Object.assign({}, request, {
      lists: new Map([...request.lists].map(([name, list]) => [name, share(list)])),
      subscriptions: new Map([...request.subscriptions].map(([roomId, config]) => [roomId, share(config)])),
    });
  }

  #share(state: WantedState): WantedState {
    return this.#known.get(state.text) ?? this.#keep(state);
  }

  #keep(state: WantedState): WantedState {
    this.#known.set(state.text, state);
    return state;
  }
}
