/** BSD's EX_CONFIG: supervisors need not try again. */
export const EXIT_CONFIG = 78;

/**
 * A wrong key or value, or several of them. The message has one line for each, which names it and holds no secret. The process exits with
 * EXIT_CONFIG.
 */
export class ConfigError extends Error {
  constructor(...faults: readonly string[]) {
    super(faults.map((fault) => fault.replaceAll(/\s+/g, ' ')).join('\n'));
    this.name = 'ConfigError';
  }
}
