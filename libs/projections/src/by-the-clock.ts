import { RegularLooks } from './regular-looks.js';

/**
 * A service that does what is due by the clock (`RegularLooks`), for as long as the process runs: it is a provider, and nothing else has to know of it. What an effect
 * looks for is no such service, for that is run by one process (`RetryingEffect`).
 */
export abstract class ByTheClock {
  protected readonly looks = new RegularLooks({
    look: () => this.doDue(),
    failed: (error) => this.lookFailed(error),
  });

  /** Begins to look (`looks.begin`, or `looks.soon` for who asks no views), where there is anything to look for as the server is configured. */
  protected abstract beginToLook(): void;

  /** As `look` of `RegularLook`. */
  protected abstract doDue(): Promise<number>;

  /** As `failed` of `RegularLook`. */
  protected abstract lookFailed(error: unknown): void;

  /** For Nest. */
  onApplicationBootstrap(): void {
    this.beginToLook();
  }

  /** For Nest. */
  onModuleDestroy(): Promise<void> {
    return this.looks.end();
  }

  /** Looks now; settles when that is done. For tests; else it is done by itself. */
  look(): Promise<void> {
    return this.looks.now();
  }
}
