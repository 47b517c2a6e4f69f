import { hash } from 'node:crypto';

/** 132 bits. */
const CHARACTERS = 22;

/** What stands for a text in keys, where all of it would take more room than what it leads to. Nobody finds two texts that share it. */
export function shortHash(text: string): string {
  return hash('sha256', text, 'base64url').slice(0, CHARACTERS);
}
